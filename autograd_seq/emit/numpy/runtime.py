"""The source of helper functions that programs contain, by name."""

HELPERS: dict[str, str] = {
    "allocate_aligned": '''def allocate_aligned(shape, dtype, make=np.empty):
    """Allocate an array that begins at a cache line: vectors across two lines take two loads or stores each."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize
    for n in shape:
        size *= n
    memory = make(size + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + size].view(dtype).reshape(shape)''',
    "iterate_rows": '''def iterate_rows(a):
    """Yield the rows of an array as views; made on demand, so that the views of one step are close in memory."""
    return (a[i, ...] for i in range(len(a)))''',
    "sum_over": '''def sum_over(a, axes, out=None):
    """Sum over leading dimensions; many rows of float32 pairwise, so that rounding errors grow slowly."""
    if a.size > 256 and a.dtype == np.float32 and axes == tuple(range(len(axes))) and a.ndim > len(axes):
        n = 1
        for k in axes:
            n *= a.shape[k]
        a = a.reshape((n, *a.shape[len(axes):]))
        while n > 256:
            n, odd = divmod(n, 2)
            a = np.concatenate([a[:n] + a[n : 2 * n], a[2 * n :]]) if odd else a[:n] + a[n:]
            n += odd
        axes = 0
    return np.add.reduce(a, axis=axes, out=out)''',
    "add_at": '''def add_at(a, index, factor, check=False):
    """Add a factor to the entry of each row that the index names."""
    n = a.shape[-1]
    if check and index.size and index.astype(np.uint64).max() >= n:
        raise IndexError(f"expected 0 … {n - 1}, got {index.min()} … {index.max()}")
    if a.flags.c_contiguous and a.shape[:-1] == index.shape and np.size(factor) == 1 and a.size:
        place = np.arange(0, a.size, n)
        place += index.reshape(-1)
        a.reshape(-1)[place] += np.reshape(factor, ())
    else:
        place = np.broadcast_to(index, a.shape[:-1])[..., None]
        np.put_along_axis(a, place, np.take_along_axis(a, place, -1) + np.asarray(factor)[..., None], -1)''',
    "check_range": '''def check_range(index, n):
    """Raise unless all entries of an index lie in 0 … n - 1."""
    found = np.asarray(index, np.int64).reshape(-1).view(np.uint64)  # negative numbers become large
    if found.size and found[found.argmax()] >= n:
        raise IndexError(f"expected 0 … {n - 1}, got {np.min(index)} … {np.max(index)}")''',
    "refuse_index": '''def refuse_index(wrong):
    """Raise if native code has met an index that names nothing, which it has kept in an array with its bounds."""
    if wrong[0]:
        found, index, least, n = wrong.tolist()
        wrong.fill(0)
        raise IndexError(f"expected {least} … {n - 1}, got {index}")''',
    "find_places": '''def find_places(index, n, starts, out):
    """Return the flat position of the entry that the index names in each row of n entries."""
    check_range(index, n)
    return np.add(index, starts, out)''',
    "look_up": '''def look_up(table, index, out):
    """Copy the rows of a table that the index names; it is checked first, since NumPy's own check allocates an array."""
    check_range(index, len(table))
    if table.flags.c_contiguous and table.dtype == out.dtype:
        table.take(index, 0, out, "clip")
    else:
        out[...] = table[index]''',
    "check_steps": '''def check_steps(index, n, what, axis, least, out):
    """Copy an index; raise unless all its entries name one of n steps."""
    wrong = np.argwhere((np.asarray(index) < least) | (index >= n))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        got, steps = (int(a[place]) for a in np.broadcast_arrays(index, n))
        entry = f"{what}[{', '.join(map(str, place))}]" if place else what
        why = f"as {axis} has {steps} steps" if least == 0 else f"as it is read at step {steps} of {axis}"
        raise IndexError(f"expected {least} … {steps - 1}, {why}, got {entry} = {got}")
    out[...] = index''',
    "read_steps": '''def read_steps(x, places, out):
    """Copy the rows that an index names, the first of the places; zeros for -1."""
    missing = places[0] < 0
    if len(x):
        out[...] = x[places]
    if missing.any():
        out[missing] = 0''',
    "max_over": '''def max_over(a, axes, out=None):
    """Return the maximum over dimensions."""
    return np.max(a, axis=axes, out=out)''',
    "level_over": '''def level_over(a, axes, out=None):
    """Return the maximum over dimensions, 0 where it is infinite or of no entries."""
    a = a if a.dtype.kind in "fc" else a.astype(float if out is None else out.dtype)
    top = np.max(a, axis=axes, initial=-np.inf, out=out)
    infinite = ~np.isfinite(top)
    return np.where(infinite, 0, top) if out is None else np.copyto(out, 0, where=infinite)''',
    "log_sum_exp_over": '''def log_sum_exp_over(a, axes, out=None):
    """Return log(sum(exp(a))) over dimensions, without overflow; minus infinity for no entries."""
    a = a if a.dtype.kind in "fc" else a.astype(float if out is None else out.dtype)
    top = np.max(a, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    e = a - top
    np.exp(e, e)
    found = np.sum(e, axis=axes, out=out)
    return np.add(np.log(found, out), np.squeeze(top, axis=axes), out)''',
    "fill_draws": '''def fill_draws(draw, out, rank):
    """Fill an array with one draw for each point of the leading dimensions."""
    for point in np.ndindex(out.shape[:rank]):
        out[point] = draw(point)''',
}
NEEDS = {"find_places": "check_range", "look_up": "check_range"}
"""The helper that a helper calls."""
