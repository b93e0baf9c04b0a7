"""The table of ways to learn: its rows are those of the README, and what it calls unbiased is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import ways

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    made = [[cell.strip() for cell in row.strip("|").split("|")] for row in ways.main(calls=1, draws=16)[2:]]
    return {cells[0]: cells for cells in made}


def test_the_table_of_the_readme_has_these_rows(rows: dict[str, list[str]]) -> None:
    """Names, code and words; the numbers are those of the machine on which it was made."""
    table = [[c.strip() for c in line.strip("|").split("|")] for line in README.split("| way | how |")[1].splitlines()[2:]]
    shown = {cells[0]: cells for cells in table[: len(rows)]}
    assert {n: (c[1], *c[5:]) for n, c in shown.items()} == {n: (c[1], *c[5:]) for n, c in rows.items()}
    assert {n: c[4].split(";")[0] == "none" for n, c in shown.items()} == {
        n: c[4].split(";")[0] == "none" for n, c in rows.items()
    }


def test_what_is_unbiased_and_what_is_not(rows: dict[str, list[str]]) -> None:
    unbiased = {name for name, cells in rows.items() if cells[4].split(";")[0] == "none"}
    assert unbiased >= {"full (BPTT)", "checkpointed", "forward mode", "RTRL", "UORO", "implicit"}
    assert not unbiased & {"segments of 50", "window of 50", "SnAp-1", "e-prop"}
    size = {name: float(cells[2].removesuffix(" kB").replace(",", "")) for name, cells in rows.items()}
    assert size["implicit"] < size["e-prop"] < size["checkpointed"] < size["RTRL"] < size["full (BPTT)"]
    assert np.isfinite(list(size.values())).all()
