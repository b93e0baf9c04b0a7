"""Questions about a graph and its values."""
