"""The logistic map x_t = r x_{t−1} (1 − x_{t−1}): the smallest cycle there is, and why long gradients explode.

One state that feeds back into itself. The derivative of the last step by the first is the product of r (1 − 2x) along
the way. At r = 4 the map is chaotic, and the solution is known: x_t = sin²(2ᵗ θ) with sin²θ = x₀, so

    dx_T/dx₀ = 2ᵀ sin(2ᵀ⁺¹ θ) / sin(2θ)

The sensitivity doubles with every step, on average: its logarithm divided by T is the Lyapunov exponent, ln 2.
"""

import numpy as np

import autograd_seq as ag


def sensitivity(steps: int, r: float, x0: float) -> tuple[float, float]:
    """Return x after so many steps, and its derivative by x0, by reverse mode through the unrolled graph."""
    t = ag.Axis("t")
    x = ag.state("x", over=t, init=ag.param("x0"))
    x[t] = ag.param("r") * x[t - 1] * (1 - x[t - 1])
    dag = ag.Graph(ag.last(x, over=t)).unroll(t=steps)
    (value,) = dag.evaluate(x0=x0, r=r)
    (slope,) = dag.grad(["x0"]).evaluate(x0=x0, r=r)
    return float(value), float(slope)


def exact(steps: int, x0: float) -> float:
    """Return the derivative at r = 4 from the closed solution."""
    theta = np.arcsin(np.sqrt(x0))
    return float(2.0**steps * np.sin(2.0 ** (steps + 1) * theta) / np.sin(2 * theta))


def main() -> dict[int, tuple[float, float]]:
    """Print and return the sensitivity, computed and exact, after 1 to 30 steps."""
    found = {}
    print(" T          x_T        dx_T/dx_0            exact   ln|…|/T")
    for steps in (1, 2, 5, 10, 20, 30):
        x, slope = sensitivity(steps, 4.0, 0.2)
        found[steps] = slope, exact(steps, 0.2)
        print(f"{steps:2d} {x:12.8f} {slope:16.6g} {found[steps][1]:16.6g} {np.log(abs(slope)) / steps:9.4f}")
    _, calm = sensitivity(30, 2.5, 0.2)
    print(f"at r = 2.5 the map settles, and the gradient vanishes: dx_30/dx_0 = {calm:.3g} (2⁻³⁰ = {2.0**-30:.3g})")
    return found


if __name__ == "__main__":
    main()
