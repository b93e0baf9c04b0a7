"""Spiking neurons learn a pattern in time: which of two channels spiked first.

Both classes have the same spikes, one in each channel, in another order, so that counting them tells nothing: the network has
to keep the time of the first one. Leaky integrate-and-fire neurons with surrogate gradients (Neftci, Mostafa & Zenke 2019):

    i_t = 0.8 i_{t-1} + U x_t + W s_{t-1}      v_t = 0.9 v_{t-1} + i_t - s_{t-1}      s_t = 1 where v_t > 1
    y_t = 0.9 y_{t-1} + V s_t                  L = mean over b of cross_entropy(y_T, label)
"""

import numpy as np

import autograd_seq as ag
from autograd_seq import learn, nn

T, B, H = 30, 64, 24


def model() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the scores of the two classes."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, label = ag.input("x", (2,), over=(t, b)), ag.input("label", over=b, dtype=int)
    s = nn.lif(x, H, over=t, synapse=0.8, recurrent=True, slope=5.0, name="hidden").s
    y = ag.last(nn.leaky_readout(s, 2, over=t, name="readout"), over=t)
    return ag.mean(ag.cross_entropy(y, label), over=b).named("L"), y


def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return a batch: the channel ``label`` spikes in the first half of the time, the other one in the second."""
    label = rng.integers(0, 2, B)
    x = np.zeros((T, B, 2))
    x[rng.integers(0, T // 2, B), np.arange(B), label] = 1.0
    x[rng.integers(T // 2, T, B), np.arange(B), 1 - label] = 1.0
    return {"x": x, "label": label}


def main(steps: int = 300) -> dict[str, float]:
    """Print the fraction that is right before and after training; return both."""
    loss, scores = model()
    step, answer = ag.value_and_grad(loss), ag.compile(scores)
    weights = nn.init.params(loss, seed=0, rules={"hidden/U": nn.init.uniform(-2.0, 2.0), "hidden/W": nn.init.normal(0.2)})
    rng, test = np.random.default_rng(0), draw(np.random.default_rng(1))

    def rate() -> float:
        return float(np.mean(answer(x=test["x"], **weights)[0].argmax(-1) == test["label"]))

    before, adam = rate(), learn.adam(0.01)
    state = adam.init(weights)
    for _ in range(steps):
        _, grads = step(**draw(rng), **weights)
        weights, state = adam.update(weights, grads, state)
    after = rate()
    print(f"right before training {before:.2f}, after {after:.2f} (chance 0.50)")
    return {"before": before, "after": after}


if __name__ == "__main__":
    main()
