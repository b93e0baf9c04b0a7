"""Two tiny, frozen, public-domain data sets, a series to forecast and a list of names to spell; and tasks that are drawn.

Both are plain text inside the package, so that an example runs without a network and gives the same figures everywhere.
Nothing is read at import; each call reads its file anew, in milliseconds, and returns arrays that belong to the caller.

- `sunspots()`: yearly mean sunspot numbers, 1700 to 2008 (regression, one value a step)
- `names()`: first names of the 1990 census of the United States, with frequencies (one letter a step)
- `tasks`: adding, copying, temporal order, parity: drawn from a seed, for any number of steps

Example:
    >>> from autograd_seq import datasets
    >>> datasets.sunspots().value.shape
    (309,)
    >>> len(datasets.names().name)
    5494
"""

from autograd_seq.datasets import tasks
from autograd_seq.datasets.census import Names, names
from autograd_seq.datasets.yearly import Series, sunspots

__all__ = ["Names", "Series", "names", "sunspots", "tasks"]
