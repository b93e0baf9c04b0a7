"""Fibonacci's numbers as a graph with two delays: f_t = f_{t−1} + f_{t−2}, with two initial rows.

A read two steps back needs two rows in front of the sequence, ``init=[f₋₂, f₋₁]`` in time order. With ``dtype=int``
the numbers are exact. With real rows the recurrence can be differentiated: f_t is linear in them,
and after n steps its derivatives by f₋₂ and f₋₁ are F_n and F_{n+1}: Fibonacci's numbers again.
"""

import autograd_seq as ag


def integers(steps: int) -> list[int]:
    """Return F_1, F_2, …, computed in whole numbers."""
    t = ag.Axis("t")
    f = ag.state("f", over=t, init=[1, 0], dtype=int)
    f[t] = f[t - 1] + f[t - 2]
    graph = ag.Graph(f)
    print("cycles:", "; ".join(" → ".join(c) for c in graph.cycles()))
    return [int(v) for v in graph.unroll(t=steps).evaluate()[0]]


def slopes(steps: int) -> list[float]:
    """Return the derivative of the last step by f₋₂ and by f₋₁."""
    t = ag.Axis("t")
    f = ag.state("f", over=t, init=[ag.param("f_2"), ag.param("f_1")])
    f[t] = f[t - 1] + f[t - 2]
    dag = ag.Graph(ag.last(f, over=t)).unroll(t=steps)
    return [float(g) for g in dag.grad(["f_2", "f_1"]).evaluate(f_2=1.0, f_1=0.0)]


def main() -> tuple[list[int], list[float]]:
    """Print and return the first numbers, and the derivatives by the two initial rows."""
    numbers = integers(80)
    print("F_1 … F_12:", *numbers[:12])
    print(f"F_80 = {numbers[79]}, and F_80 / F_79 = {numbers[79] / numbers[78]:.12f} (the golden ratio)")
    found = slopes(20)
    print(f"after 20 steps: df/df₋₂ = {found[0]:.0f} = F_20, df/df₋₁ = {found[1]:.0f} = F_21")
    return numbers, found


if __name__ == "__main__":
    main()
