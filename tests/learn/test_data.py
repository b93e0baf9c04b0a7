"""Helpers for sequences as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd_seq.core.errors import DataError
from autograd_seq.learn import buckets, data, pad, shuffled, split, windows

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("batch_first", [False, True])
def test_pad(batch_first: bool):
    sequences = [RNG.normal(size=(n, 2)).astype(np.float32) for n in (3, 0, 5)]
    array, lengths = pad(sequences, value=np.nan, batch_first=batch_first)
    assert lengths.tolist() == [3, 0, 5] and lengths.dtype == np.int64
    assert array.dtype == np.float32 and array.shape == ((3, 5, 2) if batch_first else (5, 3, 2))
    assert array.flags.c_contiguous
    rows = array if batch_first else array.swapaxes(0, 1)
    for row, s in zip(rows, sequences, strict=True):
        assert np.array_equal(row[: len(s)], s) and np.isnan(row[len(s) :]).all()
    assert pad([[1, 2], [3]])[0].dtype == np.int64
    assert np.array_equal(pad(iter(sequences), value=np.nan, batch_first=batch_first)[0], array, equal_nan=True)


@pytest.mark.parametrize("empty", [[], np.zeros(0), np.zeros(0, np.float32)])
def test_an_empty_sequence_does_not_decide_the_kind(empty: Any):
    for sequences in ([[1, 2], empty], [empty, [1, 2]]):
        array, lengths = pad(sequences)
        assert array.dtype == np.int64 and sorted(lengths) == [0, 2]
    assert pad([[], []])[0].dtype == np.float64 and pad([np.zeros(0, np.int32)])[0].dtype == np.int32


@pytest.mark.parametrize(("sequence", "value"), [
    ([1, 2], np.nan), ([1, 2], np.inf), ([1, 2], 0.5), ([1, 2], 2.0**63), ([1, 2], 2**70), ([1, 2], 1j), ([1, 2], "a"),
    ([1, 2], None), (np.array([1], np.int8), 300), (np.array([1], np.int8), -129), (np.array([1], np.uint64), -1),
    ([True], 2), ([True], np.nan), ([1.0], 1j), ([1.0], "a"), ([1.0], 10**400), (np.ones(1, np.float32), 1e300),
    ([[1, 2]], [0, np.nan]),
])  # fmt: skip
def test_the_padding_fits_the_kind_of_the_sequences(sequence: Any, value: Any):
    with pytest.raises(DataError, match=r"padding with .* does not fit sequences of(.|\n)*value=0") as caught:
        pad([sequence, sequence], value=value)
    assert caught.value.code == "B207"


@pytest.mark.parametrize(("sequence", "value"), [
    ([1, 2], -1.0), ([1, 2], True), ([1, 2], -(2**63)), (np.array([1], np.int8), -128), (np.array([1], np.uint64), 2**64 - 1),
    ([True], 0), ([True], True), ([1.0], 2**70), ([1.0], -np.inf), (np.ones(1, np.float32), 0.1), ([1j], np.nan),
    ([[1, 2]], [0, 3]), (["a"], "b"),
])  # fmt: skip
def test_padding_of_the_kind_of_the_sequences_is_kept(sequence: Any, value: Any):
    array = np.asarray(sequence)
    got, _ = pad([sequence, array[:0]], value=value)
    want = np.broadcast_to(np.asarray(value).astype(array.dtype), array.shape)
    assert got.dtype == array.dtype and np.array_equal(got[:, 1], want, equal_nan=array.dtype.kind in "fc")


def test_a_bar_shows_where_padding_takes_long_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    sequences = [[1.0] * n for n in (3, 0, 5, 1, 2)]
    want = pad(sequences)
    monkeypatch.setattr(data, "BLOCK", 2)
    assert capsys.readouterr().err == "" and np.array_equal(pad(sequences)[0], want[0])
    assert capsys.readouterr().err == "", "it has not taken a second"
    monkeypatch.setattr(data, "PATIENCE", 0.0)
    assert np.array_equal(pad(sequences, progress=True)[0], want[0])
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("reading sequences: 100%", "padding: 100%", "5/5"))
    pad(sequences, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("seed", [None, 3])
def test_buckets_name_each_sequence_once_and_pad_little(seed: int | None):
    lengths = RNG.integers(0, 100, 53)
    batches = buckets(lengths, 8, seed=seed)
    assert sorted(i for batch in batches for i in batch) == list(range(53))
    assert sorted(map(len, batches)) == [5] + [8] * 6
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.15 * lengths.sum()
    again = buckets(lengths, 8, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert len(buckets(lengths, 8, seed=seed, drop_last=True)) == 6
    assert buckets([], 4) == []


def test_a_seed_draws_which_sequences_are_dropped():
    lengths, dropped = [9, 1, 2, 3, 4], set()
    for seed in range(50):
        batches = buckets(lengths, 2, seed=seed, drop_last=True)
        kept = [int(i) for batch in batches for i in batch]
        assert [len(b) for b in batches] == [2, 2] and len(set(kept)) == 4
        first, second = sorted(sorted(lengths[i] for i in b) for b in batches)
        assert first + second == sorted(lengths[i] for i in kept), "sequences of like lengths are in one batch"
        again = buckets(lengths, 2, seed=seed, drop_last=True)
        assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
        dropped |= set(range(5)) - set(kept)
    assert dropped == set(range(5))
    assert [b.tolist() for b in buckets(lengths, 2, drop_last=True)] == [[1, 2], [3, 4]], "without a seed, the longest"


@pytest.mark.parametrize("seed", [None, 3])
def test_nothing_is_dropped_from_full_batches_and_all_of_less_than_one(seed: int | None):
    assert sorted(np.concatenate(buckets([3, 1, 2, 5], 2, seed=seed, drop_last=True))) == [0, 1, 2, 3]
    assert buckets([3, 1], 4, seed=seed, drop_last=True) == buckets([], 4, seed=seed, drop_last=True) == []


def test_a_seed_shuffles_batches():
    batches = buckets(np.arange(100), 10, seed=1)
    assert [b.min() for b in batches] != sorted(b.min() for b in batches)


@pytest.mark.parametrize("count", [0, 1, 7, 100])
@pytest.mark.parametrize("fractions", [[1.0], [0.5, 0.5], [0.8, 0.1, 0.1], [0.0, 1.0]])
def test_split_leaves_no_example_out(count: int, fractions: list[float]):
    for seed in (None, 4):
        parts = split(count, fractions, seed=seed)
        assert len(parts) == len(fractions) and sorted(np.concatenate(parts)) == list(range(count))
        assert all(abs(len(p) - f * count) <= 1 for p, f in zip(parts, fractions, strict=True))


def test_shuffled_moves_all_arrays_alike():
    x, l = np.arange(20).reshape(2, 10), np.arange(10)
    a, b = shuffled(3, x, l, axis=-1)
    assert np.array_equal(a, [b, 10 + b]) and sorted(b) == list(range(10)) and not np.array_equal(b, l)
    assert np.array_equal(shuffled(3, l)[0], b)


def test_windows_are_views():
    series = RNG.normal(size=(1000, 3))
    got = windows(series, 50, step=7)
    assert got.shape == (50, 136, 3) and np.shares_memory(got, series) and not got.flags.writeable
    for i in (0, 1, 135):
        assert np.array_equal(got[:, i], series[7 * i : 7 * i + 50])
    assert windows(series, 1000).shape == (1000, 1, 3) and windows(series, 1001).shape == (1001, 0, 3)
    assert windows(np.arange(4), 2).T.tolist() == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize(("code", "call"), [
    ("B201", lambda: pad([])), ("B202", lambda: pad([np.ones((2, 3)), np.ones((2, 4))])), ("B202", lambda: pad([1.0, 2.0])),
    ("B211", lambda: pad([[[1], [1, 2]], [[1]]])), ("B203", lambda: split(10, [np.nan, 1.0])),
    ("B203", lambda: split(3, "ab")), ("B203", lambda: split(3, [[1.0], [0.5, 0.5]])), ("B203", lambda: split(3, [1j])),
    ("B203", lambda: split(5, [0.5, 0.6])), ("B203", lambda: split(5, [1.5, -0.5])), ("B203", lambda: split(5, [])),
    ("B204", lambda: shuffled(0, np.ones(2), np.ones(3))), ("B205", lambda: windows(1.0, 2)),
    ("B206", lambda: split(3.5, [1.0])), ("B206", lambda: split(-3, [1.0])), ("B208", lambda: shuffled(0, 3.0)),
    ("B208", lambda: shuffled(0, np.ones(3), axis=1)), ("B208", lambda: shuffled(0, np.ones((3, 3)), np.ones(3), axis=-2)),
    ("B206", lambda: windows([1.0], 0)), ("B206", lambda: buckets([1], 2.5)), ("B206", lambda: windows([1.0], 1, step="a")),
])  # fmt: skip
def test_misuse_is_refused(code: str, call: Any):
    with pytest.raises(DataError) as caught:
        call()
    assert caught.value.code == code and "expected" in str(caught.value)
