"""Elementary functions (exp, tanh, sigmoid, …) that native programs contain, written so that LLVM vectorises loops over them.

Method: x = k ln 2 + r with |r| ≤ ½ ln 2, exp(r) − 1 by a polynomial that interpolates it at Chebyshev nodes, and 2ᵏ assembled
from its bits (Cody & Waite 1980). k is rounded by adding and subtracting a number so large that no bits are left for fractions,
so these functions must be compiled without flags that let the compiler reorder sums. tanh is x + x³ P(x²) / Q(x²) where
|x| < 1, and 1 − 2 / (exp(2 |x|) + 1) elsewhere: in both cases a small correction of an exact value, with one division. All are
as accurate as NumPy's own, or within two units in the last place, including limits and denormal results; NaN stays NaN.
"""

from __future__ import annotations

_WIDTHS = {
    # bits of the fraction, integers of that width, bias of the exponent, ln 2 in two parts, where exp overflows and is 0
    "float32": (23, "np.int32", 127, "0.693359375", "-2.12194440e-4", 88.8, -104.0),
    "float64": (52, "np.int64", 1023, "6.93147180369123816490e-01", "1.90821492927058770002e-10", 709.9, -746.0),
}

_EXP = {
    # (exp(r) - 1) / r from the highest power on, for |r| up to half of ln 2; largest relative errors of exp 1.0e-8, 1.6e-17
    "float32": (0.0013926176194609642, 0.008363173134292821, 0.04166655466160214, 0.1666657702523905, 0.5, 1.0),
    "float64": (2.5100375929185925e-08, 2.762007600563138e-07, 2.7557268480106926e-06, 2.480152132210459e-05,
                0.00019841269863040675, 0.001388888891719689, 0.008333333333330065, 0.041666666666624164, 0.16666666666666669,
                0.5, 1.0),
}  # fmt: skip

_TANH = {
    # P and Q from the highest power on, and from where on the exponential is taken; in float32 by least squares to the
    # largest relative error (1.7e-9 before rounding), in float64 by Moshier (Cephes, 1984)
    "float32": ((5.62483492e-5, -1.72306848e-3, -0.333333274), (0.4051673, 1.0), 1.0),
    "float64": (
        (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3),
        (1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3), 0.625,
    ),
}  # fmt: skip


def _write_polynomial(x: str, *terms: float) -> str:
    """Return a polynomial as source, its terms from the highest power on."""
    code = f"real({terms[0]!r})"
    for term in terms[1:]:
        code = f"({code} * {x} + real({term!r}))"
    return code


_REST = '''@inline
def fast_softplus(x):
    """log(1 + exp(x))."""
    size = abs(x)
    return (x if x > 0 or x != x else real(0)) + np.log1p(fast_exp(-size))


@inline
def float_mod(a, b):
    """The remainder of a / b, with the sign of b."""
    rest = np.fmod(a, b)
    return np.copysign(real(0), b) if rest == 0 else rest + b if (b < 0) != (rest < 0) else rest


@inline
def float_floor_divide(a, b):
    """floor(a / b), by the remainder: the quotient itself may have been rounded up."""
    rest = np.fmod(a, b)
    times = (a - rest) / b
    times = times - real(1) if rest != 0 and (b < 0) != (rest < 0) else times
    whole = np.floor(times)
    whole = whole + real(1) if times - whole > real(0.5) else whole
    return a / b if b == 0 else np.copysign(whole, a / b) if times == 0 else whole


@inline
def fast_erf(x):
    """The error function."""
    return real(math.erf(x))


@inline
def float_cbrt(x):
    """The cube root: a power of rounded exponent, and one step of Newton's method."""
    x = real(x)
    size = abs(x)
    y = size ** real(1 / 3)
    better = y - (y - size / (y * y)) / real(3)
    return np.copysign(better if y > 0 and y < real(np.inf) else y, x)


@inline
def float_hypot(a, b):
    """The square root of a² + b², whose squares may overflow."""
    a, b = abs(real(a)), abs(real(b))
    large, small = max(a, b), min(a, b)
    rest = small / large if large > 0 else real(0)
    length = large + small * rest / (real(1) + np.sqrt(real(1) + rest * rest))  # a small correction of an exact value
    return real(np.inf) if a == real(np.inf) or b == real(np.inf) else a + b if a != a or b != b else length


@inline
def check_index(index, least, n, wrong):
    """An index that is one of least ... n - 1; of any other -1, and the first is kept in ``wrong``, with its bounds."""
    if index >= least and index < n:
        return index
    if wrong[0] == 0:
        wrong[0], wrong[1], wrong[2], wrong[3] = 1, index, least, n
    return -1


@inline
def whole_power(x, n):
    """x to the power n for integers, n ≥ 0, by repeated squaring."""
    power = 1
    while n > 0:
        if n % 2 == 1:
            power = power * x
        x, n = x * x, n // 2
    return power

'''
"""Functions with the same source for both widths."""


def write_math(width: str) -> str:
    """Return the functions for ``"float32"`` or ``"float64"``, as source.

    Example:
        >>> import numpy as np
        >>> names = {"np": np, "real": np.float64, "inline": lambda f: f}
        >>> exec(write_math("float64"), names)
        >>> bool(abs(names["fast_tanh"](np.float64(0.5)) - np.tanh(0.5)) < 1e-15)
        True
    """
    bits, integer, bias, high, low, top, bottom = _WIDTHS[width]
    over, under, turn = _TANH[width]
    magic = 1.5 * 2.0**bits
    marks = (bias + bits << bits) + (1 << bits - 1)  # the bits of magic: those of k are n more
    reduced = f"""    k = x * real(1.4426950408889634) + real({magic!r})
    n = k - real({magic!r})
    r = (x - n * real({high})) - n * real({low})
    p = {_write_polynomial("r", *_EXP[width])} * r
"""
    return (
        f'''
@inline
def fast_exp(x):
    """e to the power x."""
    x = min(max(x, real({bottom})), real({top}))
{reduced}    whole = {integer}(real(k).view({integer}) - {integer}({marks}))  # n: of NaN anything, and p is NaN
    half = {integer}(whole >> 1)  # for 2**n itself may be denormal, or too large
    scale = {integer}((half + {bias}) << {bits}).view(real)
    rest = {integer}((whole - half + {bias}) << {bits}).view(real)
    return (p * scale + scale) * rest


@inline
def fast_tanh(x):
    """Hyperbolic tangent."""
    whole, size = x, abs(x)
    x = min(real(2) * size, real(40))
{reduced}    scale = {integer}((real(k).view({integer}) + {bias}) << {bits}).view(real)
    e = p * scale + scale
    s = size * size
    near = size < real({turn})
    over = size * s * {_write_polynomial("s", *over)} if near else real(-2)
    under = {_write_polynomial("s", *under)} if near else e + real(1)
    return np.copysign((size if near else real(1)) + over / under, whole)


@inline
def fast_sigmoid(x):
    """1 / (1 + exp(-x))."""
    whole, x = x, max(-abs(x), real({bottom}))
{reduced}    scale = {integer}((real(k).view({integer}) + {bias + bits + 1}) << {bits}).view(real)  # for 2**n may be denormal
    e = (p * scale + scale) * real({0.5 ** (bits + 1)!r})
    return (real(1) if whole >= 0 else e) / (real(1) + e)


'''
        + _REST
    )


__all__ = ["write_math"]
