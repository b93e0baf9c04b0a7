"""The benchmark: one training step of an RNN, an LSTM and a GRU, compiled, written by hand, and by other libraries."""
