"""Initialisers: functions from a shape and a seed to an array, by their names in the literature."""

from __future__ import annotations

import numpy as np

from autograd_seq.core.hints import explain_keywords
from autograd_seq.nn.draws import (
    Initialiser,
    draw_constant,
    draw_glorot_normal,
    draw_glorot_uniform,
    draw_he_normal,
    draw_he_uniform,
    draw_identity,
    draw_lecun_normal,
    draw_normal,
    draw_orthogonal,
    draw_spectral_radius,
    draw_uniform,
)


def zeros() -> Initialiser:
    """All zeros.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> zeros()((2,))
        array([0., 0.])
    """
    return constant(0.0)


def constant(value: float) -> Initialiser:
    """One number everywhere.

    Args:
        value: the number.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> constant(1.0)((2,))
        array([1., 1.])
    """
    return Initialiser(draw_constant, value)


def uniform(low: float, high: float) -> Initialiser:
    """Uniform between ``low`` and ``high``.

    Args:
        low, high: the least and the largest number.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> bool(np.all(np.abs(uniform(-0.1, 0.1)((5, 5), seed=1)) <= 0.1))
        True
    """
    return Initialiser(draw_uniform, low, high)


def normal(std: float, mean: float = 0.0) -> Initialiser:
    """Normal, of standard deviation ``std``.

    Args:
        std: the standard deviation.
        mean: the mean.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> normal(0.1)((2, 3), seed=1).shape
        (2, 3)
    """
    return Initialiser(draw_normal, std, mean)


def glorot_uniform(gain: float = 1.0) -> Initialiser:
    """Uniform of variance 2 gain²/(fan_in + fan_out): keeps the size of signals and gradients, on average, for tanh.

    Args:
        gain: what the standard deviation is multiplied by.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> bool(np.all(np.abs(glorot_uniform()((2, 4), seed=1)) <= 1.0))
        True

    Notes:
        Glorot & Bengio 2010.
    """
    return Initialiser(draw_glorot_uniform, gain)


def glorot_normal(gain: float = 1.0) -> Initialiser:
    """Normal of variance 2 gain²/(fan_in + fan_out); see :func:`glorot_uniform`.

    Args:
        gain: what the standard deviation is multiplied by.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> round(float(glorot_normal()((300, 500), seed=1).std()), 3)
        0.05
    """
    return Initialiser(draw_glorot_normal, gain)


def he_uniform() -> Initialiser:
    """Uniform of variance 2/fan_in: keeps the size of signals through relu, which silences half of them.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> bool(np.all(np.abs(he_uniform()((2, 6), seed=1)) <= 1.0))
        True

    Notes:
        He, Zhang, Ren & Sun 2015.
    """
    return Initialiser(draw_he_uniform)


def he_normal() -> Initialiser:
    """Normal of variance 2/fan_in; see :func:`he_uniform`.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> round(float(he_normal()((400, 800), seed=1).std()), 3)
        0.05
    """
    return Initialiser(draw_he_normal)


def lecun_normal() -> Initialiser:
    """Normal of variance 1/fan_in: keeps the variance of a sum of independent inputs.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> round(float(lecun_normal()((500, 400), seed=1).std()), 3)
        0.05

    Notes:
        LeCun, Bottou, Orr & Müller 1998.
    """
    return Initialiser(draw_lecun_normal)


def orthogonal(gain: float = 1.0) -> Initialiser:
    """``gain`` times a uniformly random orthogonal matrix; if it is not square, its rows or columns are orthonormal.

    It preserves norms, so that a recurrence neither shrinks nor grows a signal or a gradient.

    Args:
        gain: what the matrix is multiplied by.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Raises:
        ShapeError: (when it is called) the shape is no matrix.

    Example:
        >>> W = orthogonal(0.9)((4, 4), seed=1)
        >>> bool(np.allclose(W @ W.T, 0.81 * np.eye(4)))
        True

    Notes:
        Saxe, McClelland & Ganguli 2014; the signs that make it uniform, Mezzadri 2007. Time is cubic in the size.
    """
    return Initialiser(draw_orthogonal, gain)


def identity(gain: float = 1.0) -> Initialiser:
    """``gain`` times the identity: a recurrence that starts by remembering.

    Args:
        gain: what the identity is multiplied by.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Raises:
        ShapeError: (when it is called) the shape is no matrix.

    Example:
        >>> identity(0.5)((2, 2))
        array([[0.5, 0. ],
               [0. , 0.5]])

    Notes:
        Le, Jaitly & Hinton 2015, with relu.
    """
    return Initialiser(draw_identity, gain)


def spectral_radius(radius: float = 0.9, density: float = 1.0) -> Initialiser:
    """A random matrix whose largest eigenvalue has the size ``radius``, as the reservoir of an echo state network.

    Args:
        radius: below 1 the network forgets, for inputs of any size, in most cases.
        density: the fraction of entries that are not 0.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Raises:
        ShapeError: (when it is called) the shape is no square matrix.

    Example:
        >>> W = spectral_radius(0.9)((20, 20), seed=1)
        >>> round(float(np.abs(np.linalg.eigvals(W)).max()), 6)
        0.9

    Notes:
        Jaeger 2001. Time is cubic in the size. Where all eigenvalues are 0, the matrix stays as it was drawn.
    """
    return Initialiser(draw_spectral_radius, radius, density)


def log_uniform(low: float, high: float) -> Initialiser:
    """Logarithms of numbers that are uniform in their logarithm between ``low`` and ``high``: log step sizes of S4D.

    Args:
        low, high: the least and the largest number, both positive.

    Returns:
        An :class:`Initialiser`, a function of ``(shape, seed)``.

    Example:
        >>> steps = np.exp(log_uniform(0.001, 0.1)((100,), seed=1))
        >>> bool(np.all((steps >= 0.001) & (steps <= 0.1)))
        True
    """
    return Initialiser(draw_uniform, float(np.log(low)), float(np.log(high)))


__all__ = [
    "constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "log_uniform",
    "normal", "orthogonal", "spectral_radius", "uniform", "zeros",
]  # fmt: skip
explain_keywords(globals(), __all__)
