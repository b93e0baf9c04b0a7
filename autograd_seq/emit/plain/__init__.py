"""The program that a lecturer writes on the board: a procedure as plain NumPy, one point at a time, equations as comments.

What a printer must provide: a function from a :class:`~autograd_seq.emit.statements.Procedure` to the source of a program. It
only prints, and decides nothing. It writes four statements (``Allocate``, ``Assign``, ``Accumulate``, ``For``) and what is
returned; seven expressions (``Read``, ``Number``, ``StepNumber``, ``Length``, ``Apply``, ``Form``, ``IfLonger``), where
``Apply`` needs an expression for each operation at one point (if there is no shorter one, a call of its own ``forward``, whose
source ``emit.forwards`` copies); and the code around them: the lengths of axes, which it reads from the shapes of the feeds,
and whatever the text uses but does not define (``foreign`` and ``constants`` of ``Emitted``). ``run.backends`` then names the
printer in one line.

Each point of an array is written once. Rows before the first step have the indices −1, −2, … and those after the last T,
T + 1, …: where negative indices count from the end of an array, as in NumPy, the former are stored after the latter, and every
read is written as in the equation.
"""
