"""The whole registry, by one table: each operation has a sample, and each sample goes through every check there is.

Values equal NumPy's, shapes and kinds are those that the rules promise, first and second derivatives agree with
numerical ones, and the forward works below leading dimensions (lifting over time, over a batch, over any axis).
"""

from __future__ import annotations

import itertools

import numpy as np
from each import each
from op_samples import SAMPLES, Sample

import autograd_seq as ag
from autograd_seq.core.op import BUILT_IN, OPS
from autograd_seq.ops.lifting import align, lift

KINDS = {"f": float, "i": int, "u": int, "b": bool}
every_sample = each("sample", SAMPLES)


def test_every_operation_has_a_sample() -> None:
    missing = {n for n in BUILT_IN if OPS[n].forward is not None} - {s.op for s in SAMPLES}
    assert not missing, f"add samples of {sorted(missing)}"


def test_only_places_and_leaves_have_no_forward() -> None:
    structural = {n for n in BUILT_IN if OPS[n].forward is None}
    leaves = {"constant", "input", "param", "tensor", "take_step", "send", "receive"}
    assert structural == leaves | {
        "state", "shift", "size", "index", "at", "along", "spread", "window", "overlap", "until", "equilibrium",
    }  # fmt: skip


@every_sample
def test_values_shapes_and_kinds(sample: Sample) -> None:
    y = OPS[sample.op](*sample.arrays, **sample.attrs)
    value, truth = y.value, np.asarray(sample.truth(*sample.arrays, **sample.attrs))
    np.testing.assert_allclose(value, truth, rtol=1e-14, atol=1e-15)
    assert value.shape == y.shape == truth.shape
    assert KINDS[value.dtype.kind] is y.dtype is KINDS[truth.dtype.kind]


@every_sample
def test_derivatives_of_first_and_second_order(sample: Sample) -> None:
    if sample.method is None:  # a gradient by decree: tested by what it decrees
        return
    method, tol = sample.method
    report = ag.check_op(OPS[sample.op], *sample.inputs, method=method, tol=tol, **sample.attrs)
    floats = sum(x.dtype.kind == "f" for x in sample.arrays)
    differentiable = floats and OPS[sample.op](*sample.arrays, **sample.attrs).dtype is float
    assert len(report.errors) == (2 * floats if differentiable else 0)


@every_sample
def test_eager_gradients_equal_the_adjoint_graphs(sample: Sample) -> None:
    """The same rules run on arrays (``backward``) and on nodes (``grad``), for a cotangent that is not all ones."""
    tensors = [ag.tensor(x) if x.dtype.kind == "f" else ag.constant(x) for x in sample.arrays]
    y = OPS[sample.op](*tensors, **sample.attrs)
    wrt = [x for x in tensors if x.op.name == "tensor"]
    if y.dtype is not float or not wrt:
        return
    cotangent = np.random.default_rng(1).normal(size=y.shape)
    y.backward(cotangent)
    for x, g in zip(wrt, ag.grad(y, wrt, cotangent=cotangent), strict=True):
        assert g.shape == x.shape
        np.testing.assert_allclose(np.zeros(x.shape) if x.grad is None else x.grad, g.value, rtol=1e-13, atol=1e-15)


@every_sample
@each("bad", [np.nan, np.inf, -np.inf])
def test_a_cotangent_of_0_stays_0_whatever_the_operands_are(sample: Sample, bad: float) -> None:
    with np.errstate(all="ignore"):
        tensors = [ag.tensor(np.full_like(x, bad)) if x.dtype.kind == "f" else ag.constant(x) for x in sample.arrays]
        y = OPS[sample.op](*tensors, **sample.attrs)
        wrt = [x for x in tensors if x.op.name == "tensor"]
        if y.dtype is not float or not wrt:
            return
        y.backward(np.zeros(y.shape))
        for x, g in zip(wrt, ag.grad(y, wrt, cotangent=np.zeros(y.shape)), strict=True):
            assert not np.any(g.value) and (x.grad is None or not np.any(x.grad))


@every_sample
def test_lifted_equals_stacked_steps(sample: Sample) -> None:
    """Over a leading axis of 5 points (and of 2 × 3), for every choice of operands that vary along it."""
    if not sample.liftable:
        return
    op, arrays = OPS[sample.op], sample.arrays
    for leading, chosen in itertools.product([(5,), (2, 3)], itertools.product([True, False], repeat=len(arrays))):
        if not any(chosen):
            continue
        many = [several(x, leading, i) if moved else x for i, (x, moved) in enumerate(zip(arrays, chosen, strict=True))]
        lifted = lift(op, many, [x.shape for x in arrays], sample.attrs)
        steps = [
            op.forward(*[x[at] if moved else x for x, moved in zip(many, chosen, strict=True)], **sample.attrs)
            for at in np.ndindex(*leading)
        ]
        stacked = np.stack(steps).reshape(leading + np.shape(steps[0]))
        np.testing.assert_allclose(np.broadcast_to(lifted, stacked.shape), stacked, rtol=1e-13, atol=1e-15)
        assert np.asarray(lifted).dtype == stacked.dtype


def several(x: np.ndarray, leading: tuple[int, ...], seed: int) -> np.ndarray:
    """Return as many different values like ``x`` as there are points: integers stay in the range of indices."""
    rng = np.random.default_rng(seed)
    if x.dtype.kind == "f":
        return x * rng.uniform(0.5, 1.5, size=leading + x.shape)
    return rng.permuted(np.broadcast_to(x, leading + x.shape), axis=-1) if x.ndim else np.full(leading, x)


def test_operations_are_written_by_hand_one_point_at_a_time() -> None:
    """All of them in one program, on operands that are fed at each step, with their derivatives."""
    t, feeds, outputs = ag.Axis("t"), {}, []
    for k, sample in enumerate(SAMPLES):
        if not sample.liftable:
            continue
        nodes = []
        for j, array in enumerate(sample.arrays):
            name = f"x{k}_{j}"
            feeds[name] = np.stack([array, array[..., ::-1] if array.ndim else array])
            nodes.append(ag.input(name, array.shape, over=t, dtype=KINDS[array.dtype.kind]))
        y = OPS[sample.op](*nodes, **sample.attrs)
        outputs.append(y)
        if y.dtype is float and (wrt := [x for x in nodes if x.dtype is float]):
            outputs += ag.grad(ag.sum(ag.sum(y, over=t)), wrt)
    graph = ag.Graph(outputs)
    fed = {name: feeds[name] for name in graph.inputs}
    got, want = ag.compile(graph, backend="plain")(**fed), graph.evaluate(**fed)
    for node, a, b in zip(outputs, got, want, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, (node, a, b)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13, err_msg=repr(node))


def test_lifting_over_no_points() -> None:
    for name, shapes, attrs in [
        ("add", [(), (3,)], {}),
        ("contract", [(2, 3), (3,)], {"spec": "ij,j->i"}),
        ("take", [(4, 2), ()], {"rank": 2, "index_rank": 0}),
        ("softmax", [(3,)], {"axis": (-1,)}),
    ]:
        kinds = [int if name == "take" and i else float for i in range(len(shapes))]
        arrays = [np.zeros((0, *s), kind) for s, kind in zip(shapes, kinds, strict=True)]
        out = lift(OPS[name], arrays, shapes, attrs)
        assert out.shape == (0, *OPS[name].shape(*shapes, **attrs)), name


def test_alignment_inserts_dimensions_behind_the_leading_ones() -> None:
    assert align(np.zeros((5, 4, 3)), (3,), 3).shape == (5, 4, 1, 1, 3)
    assert align(np.zeros(3), (3,), 2).shape == (3,)  # no leading dimensions: NumPy's own rule is right
    assert align(np.zeros((5, 3)), (3,), 1).shape == (5, 3)


def test_one_sample_lifted_by_hand() -> None:
    """Five scalars times a vector of 5 is (5, 5), not an elementwise product: the trap that alignment is for."""
    scalars, vector = np.arange(5.0), np.ones(5)
    assert lift(OPS["mul"], [scalars, vector], [(), (5,)], {}).tolist() == [[float(i)] * 5 for i in range(5)]
