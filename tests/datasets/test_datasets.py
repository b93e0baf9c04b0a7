"""The frozen data sets: the published figures, arrays that belong to the caller, and what a damaged file says."""

import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from autograd_seq import datasets
from autograd_seq.core.errors import DataError
from autograd_seq.datasets import table

FOLDER = resources.files("autograd_seq.datasets")


def test_sunspots_are_the_published_figures():
    sun = datasets.sunspots()
    assert sun.year.shape == sun.value.shape == (309,)
    assert sun.year.dtype == np.int64 and sun.value.dtype == np.float64
    assert np.array_equal(sun.year, np.arange(1700, 2009))
    known = {1700: 5.0, 1750: 83.4, 1816: 45.8, 1957: 190.2, 2008: 2.9}
    assert {year: sun.value[year - 1700] for year in known} == known
    assert sun.value.sum() == pytest.approx(15373.4, abs=1e-9)
    assert (sun.value.min(), sun.value.max()) == (0.0, 190.2)


def test_forecasts_of_the_sunspots_have_the_known_errors():
    """One step ahead, 1921-1955, mean squared: persistence, and least squares on nine lags with an intercept."""
    value = datasets.sunspots().value
    test, fit = np.arange(1921 - 1700, 1956 - 1700), np.arange(9, 1921 - 1700)

    def lags(t):
        return np.column_stack([np.ones(len(t))] + [value[t - k] for k in range(1, 10)])

    weight = np.linalg.lstsq(lags(fit), value[fit])[0]
    assert np.mean((value[test] - value[test - 1]) ** 2) == pytest.approx(638.3108571, abs=1e-6)
    assert np.mean((value[test] - lags(test) @ weight) ** 2) == pytest.approx(189.1924648, abs=1e-6)


def test_names_are_the_lists_of_the_census():
    census = datasets.names()
    female, male = census.sex == "F", census.sex == "M"
    assert (female.sum(), male.sum(), len(census.name)) == (4275, 1219, 5494)
    assert census.sex.shape == census.frequency.shape == (5494,) and census.frequency.dtype == np.float64
    at = {(name, sex): share for name, sex, share in zip(*census, strict=True)}
    assert len(at) == 5494  # no name twice within a sex
    assert at["MARY", "F"] == 2.629 and at["JAMES", "M"] == 3.318
    assert at["ALLYN", "F"] == 0.001 and at["ALONSO", "M"] == 0.004
    assert set("".join(census.name)) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for sex, total in ((female, 89.940), (male, 90.052)):
        assert census.frequency[sex].sum() == pytest.approx(total, abs=1e-9)
        assert np.all(np.diff(census.frequency[sex]) <= 0)  # rank order


def test_vowels_are_the_published_utterances():
    data = datasets.vowels()
    assert data.x.shape == (29, 640, 12) and data.lengths.sum() == 9961 and (data.lengths.min(), data.lengths.max()) == (7, 29)
    assert np.bincount(data.speaker[data.training]).tolist() == [30] * 9
    assert np.bincount(data.speaker[~data.training]).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert data.x[0, 0, :3].tolist() == [1.861, -0.207, 0.262]
    beyond = np.arange(29)[:, None] >= data.lengths
    assert not data.x[beyond].any() and np.all(np.any(data.x != 0, axis=2) | beyond)


@pytest.mark.parametrize("load", [datasets.sunspots, datasets.names, datasets.vowels])
def test_no_callers_change_reaches_another(load):
    mine, yours, untouched = load(), load(), load()
    for column in mine:
        if isinstance(column, np.ndarray):
            column[:] = column[-1]
    for other in (yours, load()):
        assert all(np.array_equal(got, expected) for got, expected in zip(other, untouched, strict=True))
    arrays = [(mine[k], yours[k]) for k in range(len(mine)) if isinstance(mine[k], np.ndarray)]
    assert arrays and not any(np.shares_memory(a, b) for a, b in arrays)
    assert not all(np.array_equal(a, b) for a, b in arrays)


def test_the_files_stay_small():
    size = {file.name: len(file.read_bytes()) for file in FOLDER.iterdir() if file.name.endswith(".csv")}
    assert set(size) == {"names.csv", "sunspots.csv", "vowels.csv"}
    assert sum(size.values()) < 800_000


def test_import_reads_no_data():
    """An audit hook sees every file that the import opens; none of them is a table."""
    program = (
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == 'open' else None)\n"
        "from autograd_seq import datasets\n"
        "assert not [path for path in seen if path.endswith('.csv')], seen\n"
        "datasets.sunspots()\n"
        "assert [path for path in seen if path.endswith('.csv')], 'the hook sees nothing'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdin=subprocess.DEVNULL, timeout=60)


def swap(old, new):
    """A damage: the first occurrence of `old` in the file's text becomes `new`."""

    def damage(text):
        assert old in text
        return text.replace(old, new, 1)

    return damage


DAMAGES = {
    "letter": ("sunspots", swap("1701,11.0", "17O1,11.0"), "sunspots.csv:5", "year: a whole number, got '17O1'"),
    "nan": ("sunspots", swap("1701,11.0", "1701,nan"), "sunspots.csv:5", "value: a number from 0 to 1000, got 'nan'"),
    "field": ("sunspots", swap("1701,11.0", "1701"), "sunspots.csv:5", "2 fields separated by commas, got '1701'"),
    "blank": ("sunspots", swap("1701,11.0", ""), "sunspots.csv:5", "2 fields separated by commas, got ''"),
    "cut": ("sunspots", lambda text: text[: text.index("2008,")], "sunspots.csv", "309 records, got 308"),
    "order": ("sunspots", swap("1702,", "1703,"), "sunspots.csv", "the year 1702 after 1701, got 1703"),
    "empty": ("sunspots", lambda text: "", "sunspots.csv", "the heading 'year,value', got no line"),
    "heading": ("sunspots", swap("year,value", "year"), "sunspots.csv:3", "the heading 'year,value', got 'year'"),
    "case": ("names", swap("MARY", "Mary"), "names.csv:4", "name: capital letters A to Z, got 'Mary'"),
    "sex": ("names", swap(",F,", ",X,"), "names.csv:4", "sex: F or M, got 'X'"),
    "percent": ("names", swap("2.629", "-2.629"), "names.csv:4", "frequency: percent, above 0 to 100, got '-2.629'"),
    "part": ("vowels", swap("train,0", "dev,0"), "vowels.csv:4", "part: train or test, got 'dev'"),
    "utterance": ("vowels", swap("train,0", "train,-1"), "vowels.csv:4", "utterance: an integer from 0, got '-1'"),
    "speaker": ("vowels", swap("train,0,1", "train,0,0"), "vowels.csv:4", "speaker: 1 to 9, got '0'"),
    "shuffled": ("vowels", swap("train,0,1", "train,1,1"), "vowels.csv", "270 + 370 utterances, got 641 in another order"),
    "twice": ("names", swap("MARY,F,2.629\n", "MARY,F,2.629\n" * 2), "names.csv", "5494 records, got 5495"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_file_says_what_where_and_how_to_mend(case, monkeypatch):
    load, damage, where, difference = DAMAGES[case]
    whole = table.read_text
    monkeypatch.setattr(table, "read_text", lambda file: damage(whole(file)))
    with pytest.raises(DataError) as caught:
        getattr(datasets, load)()
    assert str(caught.value).splitlines() == [
        f"DataError [B301]: a data file of the package is damaged      (autograd_seq/datasets/{where})",
        f"  expected {difference}",
        "  install the package again: pip install --force-reinstall --no-deps .",
    ]
    assert (caught.value.code, caught.value.where) == ("B301", f"autograd_seq/datasets/{where}")
    assert isinstance(caught.value, ValueError)


def unreadable(file):
    return b"\xff".decode("ascii")


def missing(file):
    raise FileNotFoundError(f"no {file}")


@pytest.mark.parametrize("reader", [unreadable, missing])
def test_an_unreadable_file_says_the_same(reader, monkeypatch):
    monkeypatch.setattr(table, "read_text", reader)
    with pytest.raises(DataError, match="expected a readable file of ASCII text, got ") as caught:
        datasets.names()
    assert isinstance(caught.value.__cause__, OSError | UnicodeDecodeError)
