"""First names, letter by letter: an LSTM gives the probability of the next letter, and names are drawn from it.

    h_t = LSTM(E x_t, h_{t-1})      y_t = V h_t + d      L = mean of -log softmax(y_t)[x_{t+1}]

Run as a program it writes the names to train.npz and valid.npz; then, in that folder,

    autograd-seq train names.py:L --data train.npz --valid valid.npz --save names.safetensors --batch 64 --epochs 10
    autograd-seq sample names.py:y --params names.safetensors --symbols .ABCDEFGHIJKLMNOPQRSTUVWXYZ --stop 0

Letters are numbers from 1; 0 begins and ends every name. Each name has a length of its own: it is padded to the longest, and
what the padding holds reaches nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import autograd_seq as ag

HIDDEN, SYMBOLS = 64, 27

t, b = ag.Axis("t"), ag.Axis("b")
x, l = ag.input("x", over=(t, b), dtype=int), ag.input("l", over=(t, b), dtype=int)
letter = ag.nn.dropout("letters", ag.take(ag.param("E", (SYMBOLS, HIDDEN)), x), 0.1, over=(t, b))
h, _ = ag.nn.lstm(letter, HIDDEN, over=t)
y = ag.param("V", (SYMBOLS, HIDDEN)) @ h + ag.param("d", (SYMBOLS,))
L = ag.mean(ag.cross_entropy(y, l), over=(t, b))


def main(folder: str = ".") -> int:
    """Write the names, and return their number."""
    names = sorted(set(ag.datasets.names().name))
    letters, lengths = ag.learn.pad([[*(ord(k) - 64 for k in name), 0] for name in names])
    before = np.roll(letters, 1, axis=0)
    before[0] = 0
    parts = zip(("train", "valid"), ag.learn.split(len(names), [0.9, 0.1], seed=0), strict=True)
    for name, part in parts:
        arrays = {"x": before[:, part], "l": letters[:, part], "lengths.t": lengths[part]}
        np.savez(Path(folder, f"{name}.npz"), **arrays)
        print(f"{name}.npz: {len(part)} names of up to {lengths[part].max() - 1} letters")
    return len(names)


if __name__ == "__main__":
    main()
