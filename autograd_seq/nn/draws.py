"""What initialisers draw: a function of a generator and a shape for each kind, so that a rule can be printed and pickled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.ops.leaf import as_shape

Draw = Callable[..., np.ndarray]
"""``draw(random, shape, *arguments)``, an array of that shape."""


class Initialiser:
    """A rule for the values of a parameter: ``initialiser(shape, seed=0)`` is a float64 array of that shape.

    Args:
        draw: what makes the array, a function of a module.
        arguments: what it is given after the generator and the shape.

    Example:
        >>> rule = Initialiser(draw_orthogonal, 0.9)
        >>> rule, rule((2, 2), seed=3).shape  # the seed is an integer or a np.random.Generator
        (orthogonal(0.9), (2, 2))
    """

    def __init__(self, draw: Draw, *arguments: Any) -> None:
        self.draw, self.arguments = draw, arguments

    def __call__(self, shape: Any, seed: Any = 0) -> np.ndarray:
        return np.asarray(self.draw(np.random.default_rng(seed), as_shape(shape, None), *self.arguments), dtype=float)

    def __repr__(self) -> str:
        return f"{self.draw.__name__.removeprefix('draw_')}({', '.join(map(repr, self.arguments))})"


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out): how many numbers an output reads, and how many outputs read an input; at least 1.

    Args:
        shape: (out, in) of a matrix, (in,) of a vector that is multiplied to a number; dimensions after the second
            multiply both fans, as in convolutions.

    Returns:
        Two numbers.

    Example:
        >>> fans((8, 3)), fans((8,)), fans(())
        ((3, 8), (8, 1), (1, 1))
    """
    if len(shape) < 2:
        return max(*shape, 1) if shape else 1, 1
    window = int(np.prod(shape[2:]))
    return max(shape[1] * window, 1), max(shape[0] * window, 1)


def draw_constant(random: np.random.Generator, shape: tuple[int, ...], value: float) -> np.ndarray:
    """Return one number everywhere."""
    return np.full(shape, float(value))


def draw_uniform(random: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Return uniform numbers between two bounds."""
    return random.uniform(low, high, shape)


def draw_normal(random: np.random.Generator, shape: tuple[int, ...], std: float, mean: float = 0.0) -> np.ndarray:
    """Return normal numbers."""
    return random.normal(mean, std, shape)


def draw_symmetric(random: np.random.Generator, shape: tuple[int, ...], variance: float) -> np.ndarray:
    """Return uniform numbers between −a and a, whose variance is a²/3."""
    bound = float(np.sqrt(3 * variance))
    return random.uniform(-bound, bound, shape)


def draw_glorot_uniform(random: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Return uniform numbers of variance 2 gain² / (fan_in + fan_out)."""
    return draw_symmetric(random, shape, 2 * gain**2 / sum(fans(shape)))


def draw_glorot_normal(random: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Return normal numbers of variance 2 gain² / (fan_in + fan_out)."""
    return random.normal(0.0, np.sqrt(2 * gain**2 / sum(fans(shape))), shape)


def draw_he_uniform(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform numbers of variance 2 / fan_in."""
    return draw_symmetric(random, shape, 2 / fans(shape)[0])


def draw_he_normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal numbers of variance 2 / fan_in."""
    return random.normal(0.0, np.sqrt(2 / fans(shape)[0]), shape)


def draw_lecun_normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal numbers of variance 1 / fan_in."""
    return random.normal(0.0, np.sqrt(1 / fans(shape)[0]), shape)


def draw_orthogonal(random: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Return a uniformly random orthogonal matrix, or a part of one, times the gain."""
    rows, columns = _check_matrix(shape, "orthogonal")
    q, r = np.linalg.qr(random.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return gain * (q if rows >= columns else q.T)


def draw_identity(random: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Return the identity times the gain."""
    return gain * np.eye(*_check_matrix(shape, "identity"))


def draw_spectral_radius(random: np.random.Generator, shape: tuple[int, ...], radius: float, density: float) -> np.ndarray:
    """Return a random matrix whose largest eigenvalue has the given size."""
    n, columns = _check_matrix(shape, "spectral_radius")
    if n != columns:
        raise ShapeError("N118", f"spectral_radius is given the shape {shape}", expected="a square matrix", got=str(shape))
    matrix = random.normal(size=shape) * (random.random(shape) < density)
    size = float(np.abs(np.linalg.eigvals(matrix)).max(initial=0.0))
    return matrix * (radius / size) if size > 0 else matrix


def _check_matrix(shape: tuple[int, ...], kind: str) -> tuple[int, int]:
    if len(shape) != 2:
        raise ShapeError(
            "N111", f"{kind} makes matrices, and is given the shape {shape}", expected="a shape (out, in)", got=str(shape)
        )
    return shape[0], shape[1]
