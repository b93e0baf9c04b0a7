"""The program that a lecturer writes on the board: a procedure as plain NumPy, one point at a time, equations as comments.

What a printer must provide: a function from a :class:`~autograd_seq.emit.statements.Procedure` to a text that runs, which
prints and decides nothing. It writes four statements (``Allocate``, ``Assign``, ``Accumulate``, ``Loop``) and what is
returned; seven expressions (``Read``, ``Number``, ``StepNumber``, ``Length``, ``Apply``, ``Form``, ``IfLonger``), where
``Apply`` asks for a form of each operation at one point (if there is no shorter one, the source of its own ``forward``,
which ``emit.forwards`` copies); and what surrounds them: the lengths of axes, which the feeds tell, and what the text calls
but does not define (``foreign`` and ``constants`` of ``Emitted``). ``run.backends`` then names it in one line. Each
point of an array is written once. Rows before the first step have the places −1, −2, … and those behind the last T, T +
1, …: in a language whose arrays count from their end, as NumPy's do, the former lie behind the latter, and every read is
written as in the equation.
"""
