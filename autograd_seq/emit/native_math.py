"""Functions of one number that native programs carry along: written so that a loop over them becomes vector code.

Method: x = k ln 2 + r with |r| ≤ ½ ln 2, the Taylor polynomial of exp(r) − 1, and 2ᵏ put together from its bits (Cody &
Waite 1980). k is rounded by adding and subtracting a number so large that it has no bits for fractions, hence no flag that
lets a compiler reorder sums may be set where these are compiled. Errors are a few units in the last place; NaN stays NaN,
and infinities give limits.
"""

from __future__ import annotations

from math import factorial

_WIDTHS = {
    # bits of the fraction, integers of that width, bias of the exponent, terms of the polynomial, ln 2 in two parts
    "float32": (23, "np.int32", 127, 7, "0.693359375", "-2.12194440e-4", 88.8, -104.0, 10.0),
    "float64": (52, "np.int64", 1023, 13, "6.93147180369123816490e-01", "1.90821492927058770002e-10", 709.9, -746.0, 20.0),
}


def math_source(width: str) -> str:
    """Return the functions for ``"float32"`` or ``"float64"``, as source.

    Example:
        >>> import numpy as np
        >>> names = {"np": np, "real": np.float64, "inline": lambda f: f, "summing": lambda f: f}
        >>> exec(math_source("float64"), names)
        >>> abs(names["fast_tanh"](np.float64(0.5)) - np.tanh(0.5)) < 1e-15
        True
    """
    bits, integer, bias, terms, high, low, top, bottom, flat = _WIDTHS[width]
    polynomial = f"real({1 / factorial(terms)!r})"
    for n in range(terms - 1, 0, -1):
        polynomial = f"({polynomial} * r + real({1 / factorial(n)!r}))"
    magic = 1.5 * 2.0**bits
    reduced = f"""    k = x * real(1.4426950408889634) + real({magic!r})
    n = k - real({magic!r})
    r = (x - n * real({high})) - n * real({low})
    p = {polynomial} * r
"""
    return f'''
@inline
def fast_exp(x):
    """e to the power x."""
    inside = min(max(x, real({bottom})), real({top}))
    whole = x
    x = inside
{reduced}    half = {integer}(n) >> 1
    scale = {integer}((half + {bias}) << {bits}).view(real)
    rest = {integer}(({integer}(n) - half + {bias}) << {bits}).view(real)
    out = (p * scale + scale) * rest
    return whole if whole != whole else out


@inline
def fast_expm1(x):
    """e to the power x, less 1, for x of moderate size."""
{reduced}    scale = {integer}(({integer}(n) + {bias}) << {bits}).view(real)
    return p * scale + (scale - real(1))


@inline
def fast_tanh(x):
    """Hyperbolic tangent."""
    e = fast_expm1(real(2) * min(max(x, real({-flat})), real({flat})))
    y = e / (e + real(2))
    return x if x != x else y


@inline
def fast_sigmoid(x):
    """1 / (1 + exp(-x))."""
    return real(1) / (real(1) + fast_exp(-x))


@inline
def fast_softplus(x):
    """log(1 + exp(x))."""
    size = abs(x)
    return (x if x > 0 or x != x else real(0)) + np.log1p(fast_exp(-size))


@inline
def fast_erf(x):
    """The error function."""
    return real(math.erf(x))


@inline
def in_range(index, n):
    """Refuse an index outside of 0 … n - 1."""
    for i in index.flat:
        if i < 0 or i >= n:
            raise IndexError("an index is out of range")


@summing
def fast_sum(row):
    """The sum of a row."""
    total = real(0)
    for x in row:
        total += x
    return total
'''


__all__ = ["math_source"]
