"""Functions that programs carry along, as text, by name."""

HELPERS: dict[str, str] = {
    "rows": '''def rows(a):
    """The rows of an array, each as a view."""
    return [a[i, ...] for i in range(len(a))]''',
    "total": '''def total(a, axes):
    """Sum over leading dimensions; many rows of float32 by halves, so that rounding errors do not grow with their number."""
    if a.dtype == np.float32 and axes == tuple(range(len(axes))) and a.ndim > len(axes):
        n = 1
        for k in axes:
            n *= a.shape[k]
        a = a.reshape((n, *a.shape[len(axes):]))
        while n > 256:
            n, odd = divmod(n, 2)
            a = np.concatenate([a[:n] + a[n : 2 * n], a[2 * n :]]) if odd else a[:n] + a[n:]
            n += odd
        axes = 0
    return np.sum(a, axis=axes)''',
    "largest": '''def largest(a, axes):
    """The maximum over dimensions."""
    return np.max(a, axis=axes)''',
    "log_sum_exp": '''def log_sum_exp(a, axes):
    """log of the sum of exp over dimensions, without overflow; minus infinity for nothing."""
    top = np.max(a, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    out = np.log(np.sum(np.exp(a - top), axis=axes, keepdims=True)) + top
    return np.squeeze(out, axis=axes)''',
    "drawn": '''def drawn(draw, lengths, shape, dtype):
    """One draw a point."""
    out = np.empty((*lengths, *shape), dtype)
    for point in np.ndindex(*lengths):
        out[point] = draw(point)
    return out''',
}
