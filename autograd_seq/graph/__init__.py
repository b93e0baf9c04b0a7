"""Equations as data: the folded graph, its checks and order, and its unrolled and printed forms."""
