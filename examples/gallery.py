"""The README's pictures: the demo's recurrence, an LSTM's operations over time, and a bidirectional net.

python examples/gallery.py [DIR]       (default: docs)
"""

import sys
from pathlib import Path

import autograd_seq as ag
import viz
from autograd_seq import demo


def lstm() -> ag.Graph:
    """Two states; the gates i, f, o and the candidate z read x_t and h_{t-1}."""
    t = ag.Axis("t")
    x, h, c = ag.input("x", (3,), over=t), ag.state("h", (4,), over=t), ag.state("c", (4,), over=t)

    def gate(name, squash):
        U, W = ag.param(f"U_{name}", (4, 3)), ag.param(f"W_{name}", (4, 4))
        return squash(U @ x[t] + W @ h[t - 1]).named(name)

    i, f, o = (gate(name, ag.sigmoid) for name in "ifo")
    c[t] = f * c[t - 1] + i * gate("z", ag.tanh)
    h[t] = o * ag.tanh(c[t])
    return ag.Graph(h)


def bidirectional() -> ag.Graph:
    """One state that reads the past, one that reads the future."""
    t = ag.Axis("t")
    x, s, r = ag.input("x", (3,), over=t), ag.state("s", (4,), over=t), ag.state("r", (4,), over=t)
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ x[t] + ag.param("W", (4, 4)) @ s[t - 1])
    r[t] = ag.tanh(ag.param("P", (4, 3)) @ x[t] + ag.param("R", (4, 4)) @ r[t + 1])
    return ag.Graph(ag.softmax(ag.param("V", (2, 4)) @ s[t] + ag.param("Q", (2, 4)) @ r[t]).named("y"))


def main(folder: Path) -> None:
    """Draw all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    rnn = demo.build().loss
    pictures = {
        "folded": viz.folded(rnn),
        "unfolded": viz.unfolded(rnn, t=4),
        "fold_unfold": viz.fold_unfold(rnn, t=3),
        "lstm_bus": viz.unfolded(lstm(), t=3, params="bus"),
        "bidirectional": viz.unfolded(bidirectional(), t=4),
    }
    for name, picture in pictures.items():
        print(picture.save(folder / f"{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
