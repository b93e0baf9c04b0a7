"""The README's pictures of every kind: python examples/gallery.py [DIR]  (default: docs)."""

import sys
from pathlib import Path

import numpy as np

import autograd_seq as ag
import viz
from autograd_seq import demo


def bidirectional() -> ag.Graph:
    """One state that reads the past, one that reads the future."""
    t = ag.Axis("t")
    x, s, r = ag.input("x", (3,), over=t), ag.state("s", (4,), over=t), ag.state("r", (4,), over=t)
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ x[t] + ag.param("W", (4, 4)) @ s[t - 1])
    r[t] = ag.tanh(ag.param("P", (4, 3)) @ x[t] + ag.param("R", (4, 4)) @ r[t + 1])
    return ag.Graph(ag.softmax(ag.param("V", (2, 4)) @ s[t] + ag.param("Q", (2, 4)) @ r[t]).named("y"))


def attention() -> ag.Graph:
    """An encoder over u, and a decoder over t that weights its states (Bahdanau, Cho & Bengio 2015)."""
    u, t = ag.Axis("u"), ag.Axis("t")
    x, h = ag.input("x", (3,), over=u), ag.state("h", (4,), over=u)
    h[u] = ag.tanh(ag.param("U", (4, 3)) @ x[u] + ag.param("R", (4, 4)) @ h[u - 1])
    s = ag.state("s", (4,), over=t, init=ag.last(h, over=u))
    score = ag.param("v", (4,)) @ ag.tanh(ag.param("A", (4, 4)) @ s[t - 1] + ag.param("B", (4, 4)) @ h[u])
    c = ag.sum(ag.softmax(score, over=u).named(r"\alpha") * h[u], over=u).named("c")
    s[t] = ag.tanh(ag.param("W", (4, 4)) @ s[t - 1] + ag.param("C", (4, 4)) @ c)
    return ag.Graph((ag.param("V", (5, 4)) @ s[t]).named("y"))


def lattice() -> ag.Graph:
    """One state over the rows and columns of an image (Graves, Fernández & Schmidhuber 2007)."""
    i, j, size = ag.Axis("i"), ag.Axis("j"), (4, 4)
    x, h = ag.input("x", (3,), over=(i, j)), ag.state("h", (4,), over=(i, j))
    h[i, j] = ag.tanh(ag.param("U", (4, 3)) @ x[i, j] + ag.param("A", size) @ h[i - 1, j] + ag.param("B", size) @ h[i, j - 1])
    return ag.Graph(h)


def fading() -> viz.Diagram:
    """How the gradient of a loss at the last step fades on the way back."""
    t, generator = ag.Axis("t"), np.random.default_rng(0)
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ ag.input("x", (3,), over=t) + ag.param("W", (4, 4)) @ s[t - 1])
    loss = ag.sum(ag.last(s, over=t) ** 2).named("L")
    feeds = {"U": generator.normal(size=(4, 3)), "W": 0.4 * np.linalg.qr(generator.normal(size=(4, 4)))[0]}
    return viz.heat(loss, viz.gradients(loss, x=generator.normal(size=(6, 3)), **feeds))


def draw() -> dict[str, viz.Diagram]:
    """Return all of them by their names."""
    model, t = demo.build(), ag.Axis("t")
    rnn, lstm = model.loss, ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, bias=False, name="lstm").h
    x, s = ag.input("x", over=t), ag.state("s", over=t, init=[ag.param("p"), 0.0, 0.0])
    s[t] = ag.tanh(ag.param("U") * x[t] + ag.param("A") * s[t - 1] + ag.param("B") * s[t - 3])
    return {
        "folded": viz.folded(rnn), "unfolded": viz.unfolded(rnn, t=4), "fold_unfold": viz.fold_unfold(rnn, t=3),
        "lstm": viz.unfolded(lstm, t=3), "lstm_bus": viz.unfolded(lstm, t=3, params="bus"),
        "bidirectional": viz.unfolded(bidirectional(), t=4), "attention": viz.unfolded(attention(), u=4, t=3),
        "lattice": viz.unfolded(lattice(), i=3, j=4), "heat": fading(), "card": viz.card(ag.compile(lstm), "LSTM"),
        "transformer": viz.unfolded(ag.nn.transformer_layer(ag.input("x", (8,), over=t), 2, 16, over=t, name="layer"), depth=2),
        "lattice_ops": viz.unfolded(lattice(), i=2, j=3, level="ops"), "delay_line": viz.delay_line(ag.Graph(s)),
        "panes": viz.panes(ag.compile(ag.nn.gru(ag.input("x", (3,), over=t), 4, over=t, name="gru")), "h"),
        "adjoint": viz.adjoint(rnn), "schedule": viz.schedule(ag.value_and_grad(rnn.outputs[0], model.params, passes=())),
    }  # fmt: skip


def main(folder: Path) -> None:
    """Save all of them, and what each shows as a hash, by which a test sees that they are up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (pictures := draw()).items():
        print(picture.save(folder / f"{name}.png"))
    print(viz.animate(demo.build().loss).save(folder / "backward.gif"))
    (folder / "gallery.txt").write_text("".join(f"{name} {drawn.digest}\n" for name, drawn in pictures.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
