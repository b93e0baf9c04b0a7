"""From graph to graph: lengths of padded sequences, pieces with a carry, one step, shares of a batch."""
