"""The matrix product of native programs, as source: columns are packed into panels, and rows are taken a few at a time.

Method: Goto & van de Geijn 2008. A panel is as many columns as fit into two vector registers; the sums of a block of rows
and a panel stay in registers while the common dimension is traversed, 256 entries at a time, so that a panel stays in the L1
cache. ``block_8`` is such a block of eight rows, made in :mod:`autograd_seq.emit.native.block`, since no compiled loop over
entries keeps its sums in registers. Packing once per call pays in a recurrence: BLAS packs the same weights at every step
(2026-11, one core, 32 × 256 times 256 × 1024: 166 GFLOP/s against 82 by ``np.dot``).
"""

from __future__ import annotations

BLOCKS: dict[str, tuple[int, int, int, bool]] = {
    "block_8": (8, 1, 1, False), "block_8_ahead": (8, 1, 1, True), "block_4": (4, 1, 1, False), "block_2": (2, 1, 2, False),
    "block_1": (1, 1, 4, False), "block_1_4": (1, 4, 1, False),
}  # fmt: skip
"""For each block its rows, its panels, its chains of sums, and whether it prefetches what the blocks of the next panel will
read. Each has at least eight independent sums, since additions to one sum wait for one another."""

DEPTH = 256
"""How much of the common dimension a block sums at once."""
AT_HAND = 1 << 17
"""Up to so many packed entries are read again for every block of rows; beyond, the rows are read again instead."""
NEAR = 512
"""Rows whose entries lie at least this far apart are copied first: almost every entry would be on another page."""
ROWS = 128
"""How many rows are copied at once, where their entries are not contiguous."""


def count_packed(n: int, k: int, panel: int) -> int:
    """Return the number of entries of n packed columns of k rows, in panels of ``panel`` columns."""
    return -(-n // panel) * panel * k


KERNEL = '''
@part("real*, int, int, int, int, int, real*")
def pack(b, at, row, column, k, n, out):
    """Copy k rows and n columns into panels; columns that are missing in the last are 0."""
    to = 0
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        if column == 1 and width == PANEL:
            for i in range(k):
                first = at + i * row + j
                for c in range(PANEL):
                    out[to + c] = b[first + c]
                to += PANEL
        elif row == 1:
            for c in range(width):
                first = at + (j + c) * column
                for i in range(k):
                    out[to + i * PANEL + c] = b[first + i]
            for c in range(width, PANEL):
                for i in range(k):
                    out[to + i * PANEL + c] = 0
            to += k * PANEL
        else:
            for i in range(k):
                first = at + i * row + j * column
                for c in range(width):
                    out[to + c] = b[first + c * column]
                for c in range(width, PANEL):
                    out[to + c] = 0
                to += PANEL


@part("real*, int, int, int, real*, int, int, int, real*, int, int, int, int, int")
def library(a, a_at, a_row, a_column, b, b_at, b_row, b_column, out, out_at, out_row, m, n, k) -> int:
    """Let BLAS multiply if it supports these strides; return 1 if it has. It is column-major: all operands are transposed."""
    straight_a, straight_b = a_column == 1 and (a_row >= k or m == 1), b_column == 1 and (b_row >= n or k == 1)
    turned_a, turned_b = a_row == 1 and (a_column >= m or k == 1), b_row == 1 and (b_column >= k or n == 1)
    if not ((straight_a or turned_a) and (straight_b or turned_b) and (out_row >= n or m == 1)):
        return 0
    a_far = max(a_row, k) if straight_a else max(a_column, m)
    b_far = max(b_row, n) if straight_b else max(b_column, k)
    turn_a, turn_b = int(not straight_a), int(not straight_b)
    gemm(turn_b, turn_a, n, m, k, b, b_at, b_far, a, a_at, a_far, out, out_at, max(out_row, n))
    return 1


@part("real*, int, int, int, real*, int, int, int, real*, real*, int, int, int, int, int, real*")
def matrix_product(a, a_at, a_row, a_column, b, b_at, b_row, b_column, packed, out, out_at, out_row, m, n, k, room):
    """Write a @ b, by BLAS or by packing b into ``packed``, whichever is faster."""
    far = m * n * k >= OUTSIDE
    if not far or library(a, a_at, a_row, a_column, b, b_at, b_row, b_column, out, out_at, out_row, m, n, k) == 0:
        pack(b, b_at, b_row, b_column, k, n, packed)
        product(a, a_at, a_row, a_column, packed, out, out_at, out_row, m, n, k, room)


@inline
def step_product(a, a_at, a_row, a_column, b, b_at, b_row, b_column, packed, out, out_at, out_row, m, n, k, room):
    """The same within a loop over steps, where b is packed already; a single row is multiplied without a call."""
    if m == 1 and a_column == 1 and 0 < k <= DEPTH:
        for j in range(0, n, PANEL):
            block_1(a, a_at, 0, 1, packed, j * k, 0, out, out_at + j, 0, k, n - j, 0)
        return
    large = m * n * k >= INSIDE
    if not large or library(a, a_at, a_row, a_column, b, b_at, b_row, b_column, out, out_at, out_row, m, n, k) == 0:
        product(a, a_at, a_row, a_column, packed, out, out_at, out_row, m, n, k, room)


@part("real*, int, int, int, real*, real*, int, int, int, int, int, real*")
def product(a, a_at, a_row, a_column, b, out, out_at, out_row, m, n, k, room):
    """Write a @ b for packed columns b: m rows, n columns, k entries summed; ``room`` is scratch memory for copies of rows."""
    far = k * PANEL
    if k == 0:
        for i in range(m):
            for j in range(n):
                out[out_at + i * out_row + j] = 0
    for k_at in range(0, k, DEPTH):
        deep, more = min(DEPTH, k - k_at), int(k_at > 0)
        for m_at in range(0, m, ROWS):
            rows, to = min(ROWS, m - m_at), out_at + m_at * out_row
            if a_column == 1 or (a_row == 1 and a_column < NEAR):
                first = a_at + m_at * a_row + k_at * a_column
                rows_product(a, first, a_row, a_column, b, k_at * PANEL, far, out, to, out_row, rows, n, deep, more)
            else:
                for q in range(deep):
                    first = a_at + m_at * a_row + (k_at + q) * a_column
                    if a_row == 1:
                        for i in range(rows):
                            room[q * ROWS + i] = a[first + i]
                    else:
                        for i in range(rows):
                            room[q * ROWS + i] = a[first + i * a_row]
                rows_product(room, 0, 1, ROWS, b, k_at * PANEL, far, out, to, out_row, rows, n, deep, more)


@part("real*, int, int, int, real*, int, int, real*, int, int, int, int, int, int")
def rows_product(a, a_at, a_row, a_column, b, b_at, far, out, out_at, out_row, m, n, k, more):
    """Write, or add if ``more`` is 1, the product of a few rows."""
    if m == 1:
        j = 0
        while j + 3 * PANEL < n:
            block_1_4(a, a_at, a_row, a_column, b, b_at + j // PANEL * far, far, out, out_at + j, out_row, k, n - j, more)
            j += 4 * PANEL
        while j < n:
            block_1(a, a_at, a_row, a_column, b, b_at + j // PANEL * far, far, out, out_at + j, out_row, k, n - j, more)
            j += PANEL
        return
    i = 0
    if n * k <= AT_HAND:
        while i + 8 <= m:  # all panels stay in the second cache: row after row is written
            for j in range(0, n, PANEL):
                panel, to = b_at + j // PANEL * far, out_at + i * out_row + j
                block_8(a, a_at + i * a_row, a_row, a_column, b, panel, far, out, to, out_row, k, n - j, more)
            i += 8
    done = i
    if done == m:
        return
    share = PANEL // max(1, (m - done) // 8)  # of a row of the next panel, which comes from memory meanwhile
    for j in range(0, n, PANEL):
        panel, to, left, i = b_at + j // PANEL * far, out_at + j, n - j, done
        ahead, pace = panel + far if j + PANEL < n else panel, share if j + PANEL < n else 0
        while i + 8 <= m:
            block_8_ahead(
                a, a_at + i * a_row, a_row, a_column, b, panel, far, out, to + i * out_row, out_row, k, left, more, ahead, pace
            )
            ahead += k * pace
            i += 8
        if i + 4 <= m:
            block_4(a, a_at + i * a_row, a_row, a_column, b, panel, far, out, to + i * out_row, out_row, k, left, more)
            i += 4
        if i + 2 <= m:
            block_2(a, a_at + i * a_row, a_row, a_column, b, panel, far, out, to + i * out_row, out_row, k, left, more)
            i += 2
        if i < m:
            block_1(a, a_at + i * a_row, a_row, a_column, b, panel, far, out, to + i * out_row, out_row, k, left, more)
'''
"""``pack``, ``product``, ``matrix_product`` and ``step_product``; PANEL is the number of columns of a panel.
From ``OUTSIDE`` and ``INSIDE`` multiplications on the library is faster, outside of loops and within."""

NEVER = 1 << 62
THRESHOLDS = {64: (NEVER, NEVER), 32: (1 << 21, 1 << 25), 16: (1 << 25, NEVER)}
"""By the bytes of a vector, how many multiplications a product has at least that the library takes, outside of loops and
within them, where columns are packed already. Measured in 2026-11 on one core (float32, GFLOP/s; ours with packing, ours packed
before, library): 64 bytes 113, 115, 111 for (1600, 64, 256), 59, 117, 79 for (64, 1024, 4096), and training steps take 1.1
times as long with the library's; 32 bytes 63, 62, 75 for (1600, 32, 64), 52, 64, 58 for (32, 256, 1024), 37, 54, 58 for (64,
1024, 4096); 16 bytes 24, 26, 29 for (64, 1600, 256), 22, 32, 26 for (64, 1024, 4096)."""

__all__ = ["AT_HAND", "BLOCKS", "DEPTH", "KERNEL", "NEAR", "NEVER", "ROWS", "THRESHOLDS"]
