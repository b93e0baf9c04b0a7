"""Native functions of numbers: as near to the exact value as NumPy's own, on the whole line, infinities and NaN included."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

import autograd_seq as ag

cbrt = ag.defop("cbrt_of_math", shape=ag.same_shape, forward=np.cbrt, native="np.cbrt({0})", vjp=lambda g, y, x: (None,))
hypot = ag.defop("hypot_of_math", forward=np.hypot, native="np.hypot({0}, {1})", vjp=lambda g, y, a, b: (None, None))
NAMES = "exp tanh sigmoid softplus expm1 log log1p sqrt sin cos arctan erf relu tan sinh cosh arcsin arccos floor ceil round"
FUNCTIONS = {name: getattr(ag, name) for name in NAMES.split()}
FUNCTIONS |= {f"power {n}": lambda x, n=n: x**n for n in (-3, -2, -1, 2, 3, 4, 7, -0.5, 2.0)}
FUNCTIONS |= {"cbrt": cbrt, "hypot": lambda x: hypot(x, 2 - x)}
POWERS = (-3, -2, -1, 0, 2, 3, 5, -0.5, 0.3, 2.0, 1e3)
AWKWARD = np.array([-np.inf, np.inf, 0.0, -0.0, np.nan, -1.0, 2.0, 1e300, -1e300, 3.7, -750.0, 5e-324])


def line() -> np.ndarray:
    """Numbers of all exponents in float32, denormal ones and infinities too, more of them where functions bend."""
    bits = np.arange(0, 0x7F800000, 30011, dtype=np.int32).view(np.float32)
    near = np.concatenate([np.linspace(0, 12, 20001), np.linspace(80, 110, 10001)]).astype(np.float32)
    some = np.concatenate([bits, near, [np.float32(np.inf)]])
    return np.concatenate([some, -some, [np.float32(np.nan)]])


def units(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far results in float32 lie from exact ones, in units in their last place."""
    want = exact.astype(np.float32)
    least = np.float64(np.finfo(np.float32).tiny)
    unit = np.exp2(np.floor(np.log2(np.maximum(np.abs(np.where(np.isfinite(want), exact, 1.0)), least))) - 23)
    far = np.abs(got - exact) / unit
    return np.where((got == want) | (np.isnan(got) & np.isnan(exact)), 0.0, np.where(np.isnan(far), np.inf, far))


def test_functions_in_float32_are_as_near_as_numpys(numba_cache):
    x, t = line(), ag.Axis("t")
    z = ag.input("x", over=t)
    nodes = [f(z) for f in FUNCTIONS.values()]
    slope = ag.grad(ag.sum(nodes[list(FUNCTIONS).index("tanh")], over=t), z)
    with np.errstate(all="ignore"):
        *native, slopes = ag.compile([*nodes, slope], backend="numba")(x=x)
        plain = ag.compile(nodes, backend="numpy")(x=x)
        exact = list(ag.compile(nodes, backend="numpy")(x=x.astype(np.float64)))
        exact[list(FUNCTIONS).index("erf")] = np.array([math.erf(v) for v in x.astype(np.float64)])
        exact[list(FUNCTIONS).index("relu")] = np.where(x <= 0, 0.0, x)  # NaN stays NaN
        for name, a, b, want in zip(FUNCTIONS, native, plain, exact, strict=True):
            assert a.dtype == np.float32
            far = units(a, want)
            limit = max(2.0, units(b, want)[np.abs(want) > 1e-30].max())
            assert far.max() <= (1.1 if name == "tanh" else limit), (name, x[far.argmax()], far.max())
        y = native[list(FUNCTIONS).index("tanh")]
        assert np.all(np.abs(y[np.abs(x) > 9.1]) == 1) and not slopes[np.abs(x) > 9.1].any()
        assert np.array_equal(np.signbit(y), np.signbit(x))


def test_awkward_numbers_give_what_they_give_unrolled(numba_cache):
    pairs = np.array(list(product(AWKWARD, AWKWARD)))
    x, y = ag.input("x", (len(pairs),)), ag.input("y", (len(pairs),))
    both = ag.stack([x, y])
    of_two = [x**y, x / y, hypot(x, y), ag.maximum(x, y), ag.minimum(x, y), ag.where(x < y, x, y), ag.softmax(both, axis=0),
              ag.logsumexp(both, axis=0), ag.max(both, axis=0)]  # fmt: skip
    of_one = [f(x) for name, f in FUNCTIONS.items() if name != "relu"] + [x**n for n in POWERS] + [1 / x, ag.sign(x), abs(x)]
    with np.errstate(all="ignore"):
        feeds = {"x": pairs[:, 0], "y": pairs[:, 1]}
        native = ag.compile([*of_two, *of_one], backend="numba")(**feeds)
        want = ag.Graph([*of_two, *of_one]).unroll().evaluate(**feeds)
    for node, a, b in zip([*of_two, *of_one], native, want, strict=True):
        assert np.allclose(a, b, rtol=1e-13, atol=0, equal_nan=True), (node, a, b)


def test_a_cell_with_peepholes_in_float32_is_as_near_as_numpys(numba_cache):
    """Its cell state grows until tanh is 1: a slope that is not quite 0 there would add up over the steps."""
    t, H = ag.Axis("t"), 4
    x, h, c = ag.input("x", (H,), over=t), ag.state("h", (H,), over=t), ag.state("c", (H,), over=t)
    pre = {g: ag.param(f"U{g}", (H, H)) @ x[t] + ag.param(f"W{g}", (H, H)) @ h[t - 1] for g in "ifog"}
    i, f = (ag.sigmoid(pre[g] + ag.param(f"p{g}", (H,)) * c[t - 1]) for g in "if")
    c[t] = f * c[t - 1] + i * ag.tanh(pre["g"])
    h[t] = ag.sigmoid(pre["o"] + ag.param("po", (H,)) * c[t]) * ag.tanh(c[t])
    loss = ag.sum(ag.sum(h * h), over=t)
    params = [n for name, n in ag.Graph(loss).inputs.items() if name != "x"]
    steps = {name: ag.value_and_grad(loss, params, backend=name) for name in ("numpy", "numba")}
    off: dict[str, list[float]] = {name: [] for name in steps}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        feeds = {n.name: rng.normal(size=n.shape) for n in params} | {"x": rng.normal(size=(60, H)) + 1}
        feeds["Ug"], feeds["pf"] = np.abs(feeds["Ug"]), feeds["pf"] + 3
        narrow = {name: v.astype(np.float32) for name, v in feeds.items()}
        exact = steps["numpy"](**{name: v.astype(np.float64) for name, v in narrow.items()})[1]
        for name, step in steps.items():
            found = step(**narrow)[1]
            off[name].append(max(float(np.abs(found[n] - exact[n]).max() / np.abs(exact[n]).max()) for n in exact))
    assert np.median(off["numba"]) <= 2 * np.median(off["numpy"]), off
