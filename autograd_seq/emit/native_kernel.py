"""The matrix product of native programs, as source: columns packed into panels, rows taken a few at a time.

Method: Goto & van de Geijn 2008. A panel is as many columns as fit into a few vector registers; the sums of a block of rows
and a panel stay in registers while the common dimension runs. ``block_r_v`` is one such block of r rows and v vectors: it is
made by :mod:`autograd_seq.emit.numba`, because no loop over entries would keep its sums in registers. Packing pays at every
step of a recurrence: BLAS packs the same weights again each time (2026-11, one core, 32 × 256 times 256 × 1024: 166 GFLOP/s
against 82 by ``np.dot``).
"""

from __future__ import annotations

ROWS = (8, 4, 2, 1)
"""The numbers of rows that blocks are made for, the largest first."""

KERNEL = '''
def packed_size(n, k, kind):
    """How many entries n packed columns of k rows take."""
    return (n + PANEL - 1) // PANEL * PANEL * k


def pack(b, at, row, column, k, n, out):
    """Copy k rows and n columns into panels; columns that are missing in the last are 0."""
    to = 0
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        for i in range(k):
            first = at + i * row + j * column
            for c in range(width):
                out[to + c] = b[first + c * column]
            for c in range(width, PANEL):
                out[to + c] = 0
            to += PANEL


def product(a, a_at, a_row, a_column, b, out, out_at, out_row, m, n, k):
    """Write a times the packed columns b: m rows, n columns, k entries summed."""
    for j in range(0, n, PANEL):
        width, panel, to = min(PANEL, n - j), j * k, out_at + j
        i = 0
        while i + 8 <= m:
            block_8(a, a_at + i * a_row, a_row, a_column, b, panel, out, to + i * out_row, out_row, k, width)
            i += 8
        if i + 4 <= m:
            block_4(a, a_at + i * a_row, a_row, a_column, b, panel, out, to + i * out_row, out_row, k, width)
            i += 4
        if i + 2 <= m:
            block_2(a, a_at + i * a_row, a_row, a_column, b, panel, out, to + i * out_row, out_row, k, width)
            i += 2
        if i < m:
            block_1(a, a_at + i * a_row, a_row, a_column, b, panel, out, to + i * out_row, out_row, k, width)
'''
"""``packed_size``, ``pack`` and ``product``; PANEL is the number of columns of a panel."""

__all__ = ["KERNEL", "ROWS"]
