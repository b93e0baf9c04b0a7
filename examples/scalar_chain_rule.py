"""The chain rule on a scalar expression: by hand, and by the engine.

The expression is L = tanh(a·b + c)². Written as a chain of simple steps, u = a·b + c, s = tanh(u), L = s², each step
has a derivative that is easy to write down, and the chain rule multiplies them along the way from L back to each leaf:

    dL/ds = 2s      ds/du = 1 − s²      du/da = b,  du/db = a,  du/dc = 1

The engine does the same: every operation knows its own derivative, and ``backward`` multiplies them in reverse order.
"""

import math

import autograd_seq as ag


def by_hand(a: float, b: float, c: float) -> dict[str, float]:
    """Return dL/da, dL/db and dL/dc, one factor for each arrow on the way back."""
    s = math.tanh(a * b + c)
    dL_ds = 2 * s
    dL_du = dL_ds * (1 - s * s)
    return {"a": dL_du * b, "b": dL_du * a, "c": dL_du}


def main() -> dict[str, float]:
    """Print both sets of derivatives; return the engine's."""
    a, b, c = ag.tensor(0.5, name="a"), ag.tensor(-2.0, name="b"), ag.tensor(1.5, name="c")
    u = (a * b + c).named("u")
    s = ag.tanh(u).named("s")
    L = (s * s).named("L")
    L.backward()

    hand = by_hand(0.5, -2.0, 1.5)
    engine = {x.name: float(x.grad) for x in (a, b, c)}
    print(f"u = {float(u.value):.6f}   s = {float(s.value):.6f}   L = {float(L.value):.6f}")
    for name in hand:
        print(f"dL/d{name}   by hand {hand[name]:+.12f}   engine {engine[name]:+.12f}")

    (dL_da,) = ag.grad(L, [a])  # a node like any other: it can be differentiated again
    (d2L_da2,) = ag.grad(dL_da, [a])
    engine["aa"] = float(d2L_da2.value)
    print(f"d²L/da² = {engine['aa']:+.12f}")
    return engine


if __name__ == "__main__":
    main()
