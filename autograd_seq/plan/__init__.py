"""Decides how a folded graph is computed, and computes nothing: passes over graphs, then a schedule and its buffers."""
