"""Learning from a stream that never ends: a gradient at every step, and nothing of the past is stored.

Backpropagation through time waits for the end of the sequence, and keeps all of it. Real-time recurrent learning carries the
influence of each parameter on the state, M_t = ds_t/dW, forward with the state (Williams & Zipser 1989):

    M_t = J_t M_{t−1} + I_t        dL_t/dW = (dL_t/ds_t) M_t

so that the gradient of the loss of step t is there at step t, exact, in constant memory. Here a network says which bit it read
some steps ago, learns at every step, and has to learn anew when the rule changes in the middle of the stream.
"""

from collections import deque

import numpy as np

import autograd_seq as ag
from autograd_seq import learn, nn

H = 8


def model() -> ag.Node:
    """Return the loss: that of a step, summed over the steps of a sequence that need not end."""
    t = ag.Axis("t")
    x, bit = ag.input("x", (1,), over=t), ag.input("bit", over=t)
    h = nn.gru(x, H, over=t)
    p = ag.sigmoid(nn.dense(h, 1, name="readout")[t, 0])
    return ag.sum(ag.bce(p, bit[t]), over=t).named("L")


def main(steps: int = 6000) -> dict[str, float]:
    """Print the loss, the mean of 300 steps, and the memory, along the stream; return them."""
    loss = model()
    step, carry = ag.online(loss), None  # method="snap1", "uoro", "eprop": cheaper, not exact
    weights = nn.init.params(loss, seed=0)
    adam = learn.adam(0.02)
    state, rng, past = adam.init(weights), np.random.default_rng(0), deque([0.0] * 4, 4)
    found, recent = {}, deque(maxlen=300)
    for k in range(steps):
        new = float(rng.integers(2))
        past.append(new)
        delay = 2 if k < steps // 2 else 1  # the rule changes, and nobody says so
        (value, grads), carry = step(carry, x=[2 * new - 1], bit=past[-1 - delay], **weights)
        weights, state = adam.update(weights, grads, state)
        recent.append(float(value))
        if k + 1 in (300, steps // 2, steps // 2 + 300, steps):
            held = sum(carry[name].nbytes for name in carry)
            found[f"step {k + 1}"] = mean = float(np.mean(recent))
            print(f"step {k + 1:5}, the bit {delay} ago: loss {mean:.3f} (guessing: 0.693), {held} bytes carried")
    return {**found, "bytes": float(held)}


if __name__ == "__main__":
    main()
