"""What the doctor says of a machine: found, measured, and advised from that alone."""

from __future__ import annotations

import pytest

from autograd_seq import doctor
from autograd_seq.cli import main

AVX512 = ["SSE", "AVX2", "AVX512F"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine as it is described, on which nothing is measured."""

    def set_up(kernels: str | None, threads: int | None, units: list[str], installed: set[str]) -> doctor.Findings:
        monkeypatch.setattr(doctor, "find_blas", lambda: doctor.Blas("some-blas 1", kernels, threads))
        monkeypatch.setattr(doctor, "list_vector_units", lambda: units)
        monkeypatch.setattr(doctor, "find_version", lambda name: "1.0" if name in installed else None)
        monkeypatch.setattr(doctor, "product_rate", lambda: 5e10)
        monkeypatch.setattr(doctor, "bandwidth", lambda: 1e10)
        monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
        return doctor.examine()

    return set_up


def test_kernels_of_an_older_processor_are_noticed(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    report = machine("Haswell", 1, AVX512, {"numba", "scipy"})
    assert [a for a in report.advice if "OPENBLAS_CORETYPE=SkylakeX" in a]
    assert dict(report.lines)["  measured"].startswith("50 Gflop/s")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")
    assert not doctor.examine().advice


@pytest.mark.parametrize("kernels, units", [("SkylakeX", AVX512), ("Haswell", ["AVX2"]), (None, AVX512)])
def test_kernels_that_fit_or_are_unknown_are_let_be(machine, kernels, units) -> None:
    assert not machine(kernels, 1, units, {"numba", "scipy"}).advice


def test_what_is_missing_and_what_is_too_many(machine) -> None:
    numba, threads = machine("SkylakeX", 8, AVX512, set()).advice
    assert "autograd-seq[jit]" in numba and "OPENBLAS_NUM_THREADS=1" in threads
    (scipy,) = machine("SkylakeX", 1, AVX512, {"numba"}).advice
    assert "scipy" in scipy


def test_which_language_programs_are_written_in(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOGRAD_SEQ_BACKEND", raising=False)
    without, with_numba = (dict(machine("SkylakeX", 1, AVX512, some).lines)["backend"] for some in (set(), {"numba"}))
    assert without == "auto, for AUTOGRAD_SEQ_BACKEND is not set: NumPy, without numba"
    assert with_numba.endswith("numba where there are loops that it can write, NumPy elsewhere")
    monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", "numpy")
    assert dict(machine("SkylakeX", 1, AVX512, {"numba"}).lines)["backend"] == "AUTOGRAD_SEQ_BACKEND=numpy"


def test_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.find_blas().name and doctor.list_vector_units()
    assert doctor.product_rate(1) > 1e6 and doctor.bandwidth(1) > 1e6
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "Gflop/s" in out and "pictures render" in out
