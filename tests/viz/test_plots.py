"""Curves of numbers: what is drawn, and files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from viz import plots
from viz.errors import DrawError


def test_a_forecast_shows_both_curves_and_where_training_ends() -> None:
    plot = plots.forecast([1900, 1901, 1902], [1, 2, 3], [np.nan, 2.5, 2.0], split=1902, title="$unspots", ylabel="number")
    (axes,) = plot.figure.axes
    assert [line.get_label() for line in axes.lines[:2]] == ["observed", "forecast"]
    assert list(axes.lines[2].get_xdata()) == [1902, 1902]
    assert axes.get_title(loc="left") == "$unspots"
    assert axes.get_ylabel() == "number"
    assert len(plots.forecast([1], [1], [1]).figure.axes[0].lines) == 2


@pytest.mark.parametrize("split", [1700, 1820, 1840, 1920.5, 1955])
def test_the_words_at_the_split_stay_inside_of_the_axes(split: float) -> None:
    years = np.arange(1700, 1956)
    figure = plots.forecast(years, years, years, split=split).figure
    figure.canvas.draw()
    (axes,) = figure.axes
    words, room = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert "not seen in training" in axes.texts[0].get_text()
    assert room.x0 <= words.x0 and words.x1 <= room.x1


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(DrawError, match=r"\[P301\]: years, actual and predicted differ in length") as caught:
        plots.forecast([1, 2], [1, 2], [1])
    assert "got (2,), (2,) and (1,)" in str(caught.value)


def test_a_loss_curve() -> None:
    (axes,) = plots.loss_curve([3.0, 2.0, 1.0], log=True, title="t").figure.axes
    assert axes.get_yscale() == "log"
    assert list(axes.lines[0].get_ydata()) == [3.0, 2.0, 1.0]
    assert plots.loss_curve([]).figure.axes[0].get_xlabel() == "step"
    assert plots.loss_curve([0.0], log=True).figure.axes[0].get_yscale() == "linear"
    with pytest.raises(DrawError, match=r"\[P302\]: losses has shape .* and is not one row of numbers"):
        plots.loss_curve([[1.0]])


def test_curves_share_one_axis_and_may_have_a_band() -> None:
    plot = plots.curves([0, 1], {"a": [1, 2], "b": [2, 1]}, band=([0, 0], [3, 3]), band_label="range", points="b", xlabel="day")
    (axes,) = plot.figure.axes
    assert [line.get_marker() for line in axes.lines] == ["None", "."]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["range", "a", "b"]
    with pytest.raises(DrawError, match=r"\[P303\]: 1 curves cannot be drawn over x of shape \(2,\)"):
        plots.curves([0, 1], {"a": [1, 2, 3]})
    with pytest.raises(DrawError, match=r"\[P303\]: 0 curves"):
        plots.curves([0, 1], {})
    (axes,) = plots.curves(["A", "end"], {"a": [1, 2], "b": [2, 1]}, dashed=["b"]).figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["A", "end"]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    with pytest.raises(DrawError, match=r"\[P310\]: there is no curve 'c'"):
        plots.curves([0, 1], {"a": [1, 2]}, dashed=["c"])


def test_images_share_one_scale_of_grey() -> None:
    """And one scale of length: the smaller one leaves room."""
    plot = plots.images({"dark": [[0.0, 1.0, 1.0]], "light": [[2.0, 4.0]]}, title="two", columns=1)
    assert [axes.get_title() for axes in plot.figure.axes] == ["dark", "light"]
    assert {axes.images[0].get_clim() for axes in plot.figure.axes} == {(0.0, 4.0)}
    assert {axes.images[0].get_array().shape for axes in plot.figure.axes} == {(1, 3)}
    with pytest.raises(DrawError, match=r"\[P304\]: pictures are not matrices"):
        plots.images({"row": [1.0, 2.0]})


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_files_are_of_their_kind_and_the_same_every_time(form: str, tmp_path: Path) -> None:
    starts = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
    path = plots.loss_curve([2.0, 1.0], theme="dark").save(tmp_path / f"a.{form}")
    assert path.read_bytes().startswith(starts[form])
    assert [p.name for p in tmp_path.iterdir()] == [f"a.{form}"]
    if form != "svg":
        assert plots.loss_curve([2.0, 1.0], theme="dark").save(tmp_path / f"b.{form}").read_bytes() == path.read_bytes()


def test_a_notebook_gets_a_png() -> None:
    assert plots.loss_curve([2.0, 1.0])._repr_png_().startswith(b"\x89PNG")


def test_formats_and_themes_are_checked() -> None:
    with pytest.raises(DrawError) as caught:
        plots.loss_curve([1.0]).save("a.dot")
    assert str(caught.value) == (
        "DrawError [P121]: unknown format of a plot: 'dot'\n  expected one of png, svg, pdf, got 'dot'"
    )
    with pytest.raises(DrawError, match="unknown theme: 'sepia'"):
        plots.loss_curve([1.0], theme="sepia")


def test_no_global_state_of_pyplot_is_touched() -> None:
    plots.loss_curve([1.0])
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_credit_is_white_where_it_is_zero_and_summed_below() -> None:
    full = np.tril(0.5 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))))
    plot = plots.credit(full, policies={"segment=3": full * np.kron(np.eye(2), np.ones((3, 3)))})
    logs = plot.figure.axes[0].images[0].get_array()
    assert np.isnan(np.asarray(logs.filled(np.nan))[0, 1:]).all()
    np.testing.assert_allclose([bar.get_height() for bar in plot.figure.axes[1].patches], full.sum(0))
    with pytest.raises(DrawError, match=r"P305\]: the credit of all is \(2,\)"):
        plots.credit([1.0, 2.0])


def test_plots_of_dynamics_refuse_other_shapes() -> None:
    for draw, arguments, code in [
        (plots.spectrum, ([1.0],), "P306"), (plots.raster, ([1.0],), "P307"), (plots.phase, ([1.0], [1.0, 2.0]), "P308"),
        (plots.horizon, ({"a": [[1.0]]},), "P309"),
    ]:  # fmt: skip
        with pytest.raises(DrawError, match=code):
            draw(*arguments)


def test_the_slope_of_the_horizon_is_that_of_the_gradient() -> None:
    (line,) = plots.horizon({"leaky": 0.5 ** np.arange(5)[::-1]}).figure.axes[0].lines
    slope = np.polyfit(line.get_xdata(), np.log(np.asarray(line.get_ydata(), float)), 1)[0]
    np.testing.assert_allclose(slope, np.log(0.5))
