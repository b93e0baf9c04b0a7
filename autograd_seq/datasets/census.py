"""First names of the 1990 census of the United States: short words to spell letter by letter, each with its frequency.

Source:
    US Census Bureau, Frequently Occurring Names in the U.S., 1990 (published in 1995): the lists dist.female.first and
    dist.male.first, public domain. They cover nine in ten of the people in the sample: a name that fewer than about
    0.001 % of women, or 0.004 % of men, bear is not on its list.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_seq.datasets.table import ColumnSpec, read_columns

FEMALE, MALE = 4275, 1219


class Names(NamedTuple):
    """Names, and how frequent each is: three columns of equal length N.

    Args:
        name: N strings.
        sex: (N,) array of "F" and "M".
        frequency: (N,) float64, percent of the people of that sex in the sample who bear the name.

    Example:
        >>> few = Names(("MARY", "JAMES"), np.array(["F", "M"]), np.array([2.629, 3.318]))
        >>> few.frequency[few.sex == "M"]
        array([3.318])
    """

    name: tuple[str, ...]
    sex: NDArray[np.str_]
    frequency: NDArray[np.float64]


def names() -> Names:
    """First names with their frequencies: the Census Bureau's 4,275 female names, then its 1,219 male names.

    Returns:
        Names: `name`, 5,494 strings of 2 to 11 capital letters A to Z, as published (26 symbols are the alphabet;
        `.lower()` loses nothing); `sex` (5494,) of "F" and "M"; `frequency` (5494,) float64 in percent of that sex, to
        three decimals. Within a sex the most frequent come first: the order is the published rank. A name that both
        sexes bear (there are 331) stands in both lists. The arrays are fresh at each call.

    Raises:
        DataError: the data file in the package is damaged; the message names the line.

    Example:
        >>> census = names()
        >>> census.name[:3], census.frequency[:3]
        (('MARY', 'PATRICIA', 'LINDA'), array([2.629, 1.073, 1.035]))
        >>> for sex in "FM":
        ...     share = census.frequency[census.sex == sex]
        ...     print(sex, len(share), f"{share.sum():.1f} %")
        F 4275 89.9 %
        M 1219 90.1 %

    Notes:
        The frequencies of a sex add up to about 90; to draw names at random, divide by their sum. The last digit is
        rounded: more than a quarter of the female names share the frequency 0.001.
    """
    columns = [
        ColumnSpec("name", "capital letters A to Z", _parse_name),
        ColumnSpec("sex", "F or M", _parse_sex),
        ColumnSpec("frequency", "percent, above 0 to 100", _parse_percent),
    ]
    name, sex, frequency = read_columns("names.csv", columns, FEMALE + MALE)
    return Names(tuple(name), np.array(sex), np.array(frequency, dtype=np.float64))


def _parse_name(text: str) -> str:
    if not (text.isascii() and text.isalpha() and text.isupper()):
        raise ValueError(text)
    return text


def _parse_sex(text: str) -> str:
    if text not in ("F", "M"):
        raise ValueError(text)
    return text


def _parse_percent(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 100.0:  # refuses NaN as well, which float() reads gladly
        raise ValueError(text)
    return value
