"""Parts of models, and initial values for their parameters. This package builds graphs and runs nothing."""

from autograd_seq.nn import init
from autograd_seq.nn.cells import LSTM, gru, lstm, rnn
from autograd_seq.nn.noise import dropout, zoneout

__all__ = ["LSTM", "dropout", "gru", "init", "lstm", "rnn", "zoneout"]
