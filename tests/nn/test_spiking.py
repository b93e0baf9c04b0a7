"""Spiking neurons: what a reset, a refractory time, an adaptive threshold do; surrogates; codes. (Gradients: the zoo.)"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn

t = ag.Axis("t")


def run(drive: float, steps: int = 40, **options: Any) -> np.ndarray:
    """The spikes of one neuron with a constant current."""
    s = nn.lif(ag.input("x", (1,), over=t), 1, over=t, **options).s
    return ag.Graph(s).evaluate(x=np.full((steps, 1), drive), U=[[1.0]])[0][:, 0]


def test_a_current_below_the_rheobase_never_spikes() -> None:
    """The potential approaches current / (1 − decay): a neuron spikes if that is above the threshold."""
    assert not run(0.099, decay=0.9, steps=100).any() and run(0.101, decay=0.9, steps=100).any()


def test_subtraction_keeps_what_is_above_the_threshold_and_zero_forgets_it() -> None:
    """With no leak the rate after subtraction is current / threshold; reset to zero wastes the rest of each spike."""
    assert run(0.3, steps=200, decay=1.0).mean() == pytest.approx(0.3, abs=0.01)
    assert run(0.3, steps=200, decay=1.0, reset="zero").mean() == pytest.approx(0.25, abs=0.01)


def test_a_refractory_neuron_rests() -> None:
    gaps = np.diff(np.flatnonzero(run(5.0, refractory=3, reset="zero")))
    assert (gaps == 4).all()


def test_spikes_raise_an_adaptive_threshold() -> None:
    plain, adaptive = run(0.6, steps=200), run(0.6, steps=200, adaptation=0.3)
    assert plain[:2].tolist() == adaptive[:2].tolist()  # the first spike comes at the same time
    assert adaptive[100:].mean() < 0.6 * plain[100:].mean() and adaptive[100:].any()


def test_the_rise_of_a_threshold_may_be_learnt() -> None:
    s = nn.lif(ag.input("x", (1,), over=t), 1, over=t, adaptation=ag.param("beta", (1,))).s
    spikes = ag.Graph(s).evaluate(x=np.full((40, 1), 0.6), U=[[1.0]], beta=[0.3])[0][:, 0]
    np.testing.assert_array_equal(spikes, run(0.6, adaptation=0.3))


def test_synapses_smooth_a_spike() -> None:
    _, v, i, _ = nn.lif(ag.input("x", (1,), over=t), 1, over=t, synapse=0.5, decay=0.0, threshold=9.0)
    assert i is not None
    found = ag.Graph(i, v).evaluate(x=[[1.0], [0.0], [0.0]], U=[[1.0]])
    for values in found:
        np.testing.assert_allclose(values[:, 0], [1, 0.5, 0.25])


@pytest.mark.parametrize(
    ("surrogate", "derivative"),
    [
        ("fast_sigmoid", lambda v, k: 1 / (1 + k * abs(v)) ** 2),
        ("arctan", lambda v, k: k / (1 + (k * v) ** 2)),
        ("sigmoid", lambda v, k: k * np.exp(-k * v) / (1 + np.exp(-k * v)) ** 2),
        ("boxcar", lambda v, k: k * (abs(v) < 0.5 / k)),
    ],
)
def test_surrogates(surrogate: str, derivative: Any) -> None:
    v = ag.tensor([-0.4, -0.1, 0.05, 0.3])
    ag.sum(ag.spike(v, surrogate, 2.0)).backward()
    np.testing.assert_allclose(v.grad, derivative(v.value, 2.0), rtol=1e-12)


def test_a_detached_reset_has_no_gradient() -> None:
    """By hand, two steps: v₁ = d v₀ + u x₁ − s₀; detached, s₀ passes nothing on."""
    x, u, d, slope = np.array([[1.5], [0.7]]), 0.8, 0.9, 25.0
    grads = []
    for detach in (False, True):
        _, v, *_ = nn.lif(ag.input("x", (1,), over=t), 1, over=t, decay=d, detach_reset=detach)
        loss = ag.sum(ag.last(v, over=t))
        grads.append(float(ag.Graph(*ag.grad(loss, [ag.Graph(loss)["U"]])).evaluate(x=x, U=[[u]])[0][0, 0]))
    alone = d * x[0, 0] + x[1, 0]
    through = x[0, 0] / (1 + slope * abs(u * x[0, 0] - 1)) ** 2
    np.testing.assert_allclose(grads, [alone - through, alone], rtol=1e-12)


def test_refusals() -> None:
    x = ag.input("x", (2,), over=t)
    for call, code in (
        (lambda: nn.lif(x, 2, over=t, reset="half"), "N130"),
        (lambda: nn.lif(x, 2, over=t, refractory=-1), "N103"),
        (lambda: nn.lif(x, 2, over=t, surrogate="step"), "O105"),
        (lambda: nn.lif(x, 2, over=t, init=(None, None)), "N104"),
        (lambda: nn.lif(x, 2, over=t, init=(None, None, [0.0, 1.0], None)), "N158"),
        (lambda: nn.lif(x, 2, over=t, decay=20.0), "N145"),
        (lambda: nn.lif(x, 2, over=t, synapse="no"), "N145"),
        (lambda: nn.lif(x, 2, over=t, threshold=[1.0, -1.0]), "N145"),
        (lambda: nn.lif(x, 2, over=t, adaptation=None), "N145"),
        (lambda: nn.lif(x, 2, over=t, slope=0), "O136"),
        (lambda: nn.leaky_readout(x, 2, over=t, decay=True), "N145"),
        (lambda: nn.encode_latency([0.5], over=t, tau=0), "N145"),
        (lambda: nn.encode_latency(x, over=t), "N159"),
    ):
        with pytest.raises(ag.AutogradSeqError) as caught:
            call()
        assert caught.value.code == code
