"""Nine men say the Japanese vowels /ae/: 640 short sequences of speech, and the question who spoke.

Source:
    M. Kudo, J. Toyama & M. Shimbo, Multidimensional curve classification using passing-through regions, Pattern Recognition
    Letters 20, 1999; UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47, licence CC BY 4.0. Changed: rounded to
    thousandths.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_seq.datasets.table import ColumnSpec, make_damaged_error, read_columns

FILE, FRAMES, COEFFICIENTS, SPEAKERS = "vowels.csv", 9961, 12, 9
UTTERANCES = {"train": 270, "test": 370}


class Vowels(NamedTuple):
    """Utterances as a padded batch, time first.

    Args:
        x: (29, 640, 12) float64: cepstrum coefficients of each frame, zeros after the last frame of an utterance.
        lengths: (640,) int64: frames of each utterance, 7 to 29.
        speaker: (640,) int64: who spoke, 0 to 8.
        training: (640,) bool: whether an utterance belongs to the published training part (270), or to the test (370).

    Example:
        >>> data = vowels()
        >>> data.x[: data.lengths[0], 0].shape
        (20, 12)
    """

    x: NDArray[np.float64]
    lengths: NDArray[np.int64]
    speaker: NDArray[np.int64]
    training: NDArray[np.bool_]


def vowels() -> Vowels:
    """Two vowels said by nine men: 12 linear-prediction cepstrum coefficients a frame, a frame each 6.4 ms.

    Returns:
        Vowels: ``x`` (29, 640, 12), ``lengths`` (640,), ``speaker`` (640,), ``training`` (640,). The published training part
        stands first, 30 utterances a speaker; in the test part, recorded at other times, there are 24 to 88. The arrays are
        fresh at each call.

    Raises:
        DataError: the data file in the package is damaged; the message names the line.

    Example:
        >>> data = vowels()
        >>> data.x.shape, int(data.training.sum()), int(data.lengths.max())
        ((29, 640, 12), 270, 29)
    """
    columns = [ColumnSpec("part", "train or test", _parse_part), ColumnSpec("utterance", "an integer from 0", _parse_natural),
               ColumnSpec("speaker", "1 to 9", _parse_speaker)]  # fmt: skip
    columns += [ColumnSpec(f"c{k}", "a whole number of thousandths", int) for k in range(1, COEFFICIENTS + 1)]
    part, utterance, speaker, *values = read_columns(FILE, columns, FRAMES)
    place = np.array(utterance) + np.where(np.array(part) == "train", 0, UTTERANCES["train"])
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    if not np.array_equal(place[starts], np.arange(sum(UTTERANCES.values()))):
        raise make_damaged_error(
            FILE, None, f"{UTTERANCES['train']} + {UTTERANCES['test']} utterances", f"{len(starts)} in another order"
        )
    lengths = np.diff(starts, append=FRAMES)
    x = np.zeros((int(lengths.max()), len(starts), COEFFICIENTS))
    x[np.arange(FRAMES) - starts[place], place] = np.array(values).T / 1000
    return Vowels(x, lengths, np.array(speaker)[starts] - 1, np.arange(len(starts)) < UTTERANCES["train"])


def _parse_part(text: str) -> str:
    if text not in UTTERANCES:
        raise ValueError(text)
    return text


def _parse_natural(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _parse_speaker(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= SPEAKERS):
        raise ValueError(text)
    return int(text)
