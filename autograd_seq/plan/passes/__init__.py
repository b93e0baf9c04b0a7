"""Passes of the compiler, one a file: equal graphs with less to compute. Their order: autograd_seq.plan.pipeline."""
