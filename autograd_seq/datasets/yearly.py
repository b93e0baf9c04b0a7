"""Yearly mean sunspot numbers, 1700 to 2008: the oldest series that the literature on forecasting shares.

The number of dark spots on the sun comes and goes about every eleven years; it rises faster than it falls, and no two
cycles are alike. Yule (1927) invented the autoregression for it, and it has been a test of neural networks since
Weigend, Huberman & Rumelhart (1990): fit on the years to 1920, judge on 1921 to 1955.

Source:
    International sunspot number, version 1 (the scale in use until July 2015, with Wolf's factor 0.6): SIDC, Royal
    Observatory of Belgium, distributed by NOAA's National Geophysical Data Center; public domain. The figures are those
    of the `sunspots` data set of statsmodels. SILSO's version 2 (2015) is another scale: do not mix them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_seq.datasets.table import ColumnSpec, make_damaged_error, read_columns

FIRST, LAST = 1700, 2008


class Series(NamedTuple):
    """A value a year, in the order of the years.

    Args:
        year: (N,) int64, calendar years, consecutive.
        value: (N,) float64, what was measured in that year.

    Example:
        >>> Series(year=np.array([1700, 1701]), value=np.array([5.0, 11.0])).value.mean()
        np.float64(8.0)
    """

    year: NDArray[np.int64]
    value: NDArray[np.float64]


def sunspots() -> Series:
    """Yearly mean sunspot numbers from 1700 to 2008, 309 of them.

    Returns:
        Series: `year` (309,) int64, 1700 … 2008; `value` (309,) float64, the yearly mean of the international sunspot
        number, version 1: a dimensionless count, 0.0 to 190.2. Both are fresh arrays at each call.

    Raises:
        DataError: the data file in the package is damaged; the message names the line.

    Example:
        >>> sun = sunspots()
        >>> sun.value[sun.year == 1957]
        array([190.2])

        Two figures to beat in 1921 to 1955, one step ahead, as mean squared errors. Persistence, y_t = y_{t-1}:

        >>> test = np.flatnonzero((sun.year >= 1921) & (sun.year <= 1955))
        >>> print(f"{np.mean((sun.value[test] - sun.value[test - 1]) ** 2):.2f}")
        638.31

        and an autoregression on the nine years before, with intercept, fitted by least squares to 1709 … 1920 (the
        first nine years serve as lags only):

        >>> def lags(t): return np.column_stack([np.ones(len(t))] + [sun.value[t - k] for k in range(1, 10)])
        >>> fit = np.arange(9, 221)
        >>> weight = np.linalg.lstsq(lags(fit), sun.value[fit])[0]
        >>> print(f"{np.mean((sun.value[test] - lags(test) @ weight) ** 2):.2f}")
        189.19

    Notes:
        G. U. Yule, On a Method of Investigating Periodicities in Disturbed Series, with Special Reference to Wolfer's
        Sunspot Numbers, Phil. Trans. R. Soc. A 226 (1927). A. S. Weigend, B. A. Huberman & D. E. Rumelhart, Predicting
        the Future: A Connectionist Approach, Int. J. Neural Systems 1 (1990).
    """
    columns = [ColumnSpec("year", "a whole number", int), ColumnSpec("value", "a number from 0 to 1000", _parse_number)]
    years, values = read_columns("sunspots.csv", columns, LAST - FIRST + 1)
    for expected, got in zip(range(FIRST, LAST + 1), years, strict=True):
        if got != expected:  # a year twice, or left out: every lag behind it would read the wrong year
            raise make_damaged_error("sunspots.csv", None, f"the year {expected} after {expected - 1}", str(got))
    return Series(np.array(years, dtype=np.int64), np.array(values, dtype=np.float64))


def _parse_number(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1000.0:  # refuses NaN as well, which float() reads gladly
        raise ValueError(text)
    return value
