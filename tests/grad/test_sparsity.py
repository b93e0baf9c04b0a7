"""Which dimensions are locked, against the zeros of each operation's Jacobian; and products of labelled dimensions."""

from __future__ import annotations

import numpy as np
from each import each
from op_samples import SAMPLES, Sample

import autograd_seq as ag
from autograd_seq.core.op import OPS
from autograd_seq.grad.labelled import Labelled, lay_out, multiply
from autograd_seq.grad.sparsity import find_locks, list_dimensions

LOOSE = {"scatter_add", "solve"}
"""Operations of which less is claimed than is true."""


def find_diagonals(J: np.ndarray, y: ag.Node, x: ag.Node) -> dict[int, int]:
    """Return the dimensions of a value, and those of an operand, off whose diagonal the Jacobian is 0."""
    found = {}
    for d in range(y.ndim):
        for k in range(x.ndim):
            if y.shape[d] == x.shape[k] > 1:
                pairs = np.moveaxis(J, (d, y.ndim + k), (0, 1))
                if not np.any(pairs[~np.eye(x.shape[k], dtype=bool)]):
                    found[d] = k
    return found


@each("sample", SAMPLES)
def test_what_is_locked_is_a_diagonal(sample: Sample) -> None:
    operands = [ag.param(f"x{i}", x.shape) if x.dtype.kind == "f" else ag.constant(x) for i, x in enumerate(sample.arrays)]
    y = OPS[sample.op](*operands, **sample.attrs)
    for i, x in enumerate(operands):
        if y.dtype is float and y.size and x.op.name == "param" and x.size:
            graph = ag.Graph(ag.jacobian(y, x))
            (J,) = graph.evaluate(**{f"x{k}": v for k, v in enumerate(sample.arrays) if f"x{k}" in graph.inputs})
            locks = find_locks(ag.Graph(y).nodes, x).get(y)
            if locks is None:
                assert not np.any(J), f"operand {i} has a derivative"
                continue
            found, true = list_dimensions(locks), find_diagonals(J, y, x)
            found = {d: k for d, k in found.items() if y.shape[d] > 1}
            assert found.items() <= true.items() if sample.op in LOOSE else found == true, f"operand {i}"


def test_locks_pass_through_models() -> None:
    """Gates of an LSTM whose weights are packed are cut out of one product, so that their rows are not those of the state."""
    t = ag.Axis("t")
    W, b, x, h = ag.param("W", (6, 2)), ag.param("b", (3,)), ag.input("x", (2,), over=t), ag.state("h", (3,), over=t)
    z = W @ x[t]
    h[t] = ag.sigmoid(z[:3]) * h[t - 1] + ag.tanh(z[3:] + b)
    order = ag.Graph(h).nodes
    assert list_dimensions(find_locks(order, W)[h]) == {} and list_dimensions(find_locks(order, b)[h]) == {0: 0}
    error = ag.sum(ag.sum(h * h), over=t)
    assert ag.online(error).influence == {"∂h/∂W": (3, 6, 2), "∂h/∂b": (3,)}


def test_products_of_labelled_dimensions_are_einsum() -> None:
    rng = np.random.default_rng(0)
    sizes = {"i": 2, "j": 3, "k": 4, "p": 2}
    for text in ("ij jk ik", "ij ij ij", "ij ij i", "kij jkp kip", "j kj jk", "i  i", "ijk p pk", " ij j", "kj jk "):
        one, other, kept = text.split(" ")
        a, b = (rng.normal(size=[sizes[x] for x in labels]) for labels in (one, other))
        found = multiply(Labelled(ag.tensor(a), tuple(one)), Labelled(ag.tensor(b), tuple(other)), [*kept])
        np.testing.assert_allclose(lay_out(found, [*kept]).value, np.einsum(f"{one},{other}->{kept}", a, b), rtol=1e-12)
    a = rng.normal(size=(2, 3, 2))
    diagonal = Labelled(ag.tensor(a), ("i", "j", "p")).rename("p", "i")
    assert diagonal.labels == ("i", "j")
    np.testing.assert_allclose(diagonal.node.value, np.einsum("iji->ij", a), rtol=1e-12)
    spread = lay_out(diagonal, ["i", "j", "i"]).value
    np.testing.assert_allclose(spread, np.einsum("ij,ip->ijp", diagonal.node.value, np.eye(2)), rtol=1e-12)
