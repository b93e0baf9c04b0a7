"""Parts of models, and values to start them from: this floor builds graphs and runs nothing."""

from autograd_seq.nn import init
from autograd_seq.nn.cells import LSTM, gru, lstm, rnn

__all__ = ["LSTM", "gru", "init", "lstm", "rnn"]
