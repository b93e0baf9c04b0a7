"""Three small, frozen data sets, a series to forecast, names to spell, vowels by nine speakers; and tasks that are drawn.

All are plain text inside the package, so that an example runs without a network and gives the same figures everywhere; the
first lines of each file say where it is from, and its licence. Nothing is read at import; each call reads its file anew, and
returns arrays that belong to the caller.

- `sunspots()`: yearly mean sunspot numbers, 1700 to 2008 (regression, one value a step)
- `names()`: first names of the 1990 census of the United States, with frequencies (one letter a step)
- `vowels()`: two vowels said by nine men, 640 sequences of 7 to 29 frames (classification of sequences)
- `tasks`: adding, copying, temporal order, parity: drawn from a seed, for any number of steps

Example:
    >>> from autograd_seq import datasets
    >>> datasets.sunspots().value.shape
    (309,)
    >>> len(datasets.names().name)
    5494
"""

from typing import TYPE_CHECKING

from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.datasets import tasks
from autograd_seq.datasets.census import Names, names
from autograd_seq.datasets.speech import Vowels, vowels
from autograd_seq.datasets.yearly import Series, sunspots

__all__ = ["Names", "Series", "Vowels", "names", "sunspots", "tasks", "vowels"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.datasets", __all__)
