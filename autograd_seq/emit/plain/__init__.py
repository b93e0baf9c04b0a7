"""The program that a lecturer writes on the board: a procedure as plain NumPy, one point at a time, equations as comments.

What a printer must provide: a function from a graph and the axes of each output to ``Emitted``, a program with a function
``step`` of the feeds. It asks ``emit.procedure.lower_graph`` for the procedure, only prints, and decides nothing:

- **Names**: of axes, steps and whatever else it needs, from the ``Names`` that it gives to ``lower_graph``: a user's array
  may have any other name. An ``Iteration`` has no name for its length, which is a number.
- **Lengths** of axes, from the shapes of the feeds; those that no feed has are further arguments (``Emitted.asked``).
- **Four statements**: ``Allocate``, zeros with the rows before and after the steps; ``Assign``; ``Accumulate``, also into the
  row that an index names; ``For``, which may be left early (``goes_on``).
- **Seven expressions**: ``Read`` (``indices`` says where; a place may be all steps, or all before the current one),
  ``Number``, ``StepNumber``, ``Length``, ``Form``, ``IfLonger``, and ``Apply``, which needs an expression for each operation
  at one point. If there is no shorter one, that is a call of its own ``forward`` with its attributes, whose source
  ``emit.forwards`` copies. Not so for reductions over axes (``reduces_axes``), whose operand has all steps as its first
  dimensions; for ``take_step``, whose first operand has the steps to choose from; and for draws, which take the numbers of
  their point and no axes.
- **Outputs**, with their axes in the order that is asked for, as a tuple, or alone if there is one.
- What the text uses but does not define: ``foreign`` and ``constants`` of ``Emitted``.

Then it is one line in ``PRINTERS`` of ``run.backends``. A printer of calls of ``forward`` alone, without any shorter
expression, is 80 lines (2026-11: written for this list, and thrown away).

Each point of an array is written once. Rows before the first step have the indices −1, −2, … and those after the last T,
T + 1, …: where negative indices count from the end of an array, as in NumPy, the former are stored after the latter, and every
read is written as in the equation.
"""
