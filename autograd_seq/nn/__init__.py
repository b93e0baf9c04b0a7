"""Parts of models, and initial values for their parameters. This package builds graphs and runs nothing."""

from typing import TYPE_CHECKING

from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.nn import init
from autograd_seq.nn.attention import (
    additive_attention,
    causal_mask,
    dot_product_attention,
    get_read_axis,
    multi_head_attention,
)
from autograd_seq.nn.cells import Jordan, clockwork, echo_state, irnn, jordan, rnn
from autograd_seq.nn.chains import best_path, crf_loss, draw_path, score_path, sum_paths
from autograd_seq.nn.ctc import add_blanks, ctc_loss, read_labels
from autograd_seq.nn.gated import LSTM, coupled_lstm, gru, layer_norm_lstm, lstm, mgu, peephole_lstm, projected_lstm
from autograd_seq.nn.layers import (
    causal_conv,
    dense,
    embedding,
    layer_norm,
    learned_positions,
    rms_norm,
    rotary,
    sinusoidal,
)
from autograd_seq.nn.linear_recurrences import lru, min_gru, min_lstm, s4d, selective_scan
from autograd_seq.nn.noise import dropout, zoneout
from autograd_seq.nn.spiking import Neurons, encode_latency, encode_rate, leaky_readout, lif
from autograd_seq.nn.stacks import bidirectional, stack
from autograd_seq.nn.transformer import transformer_decoder, transformer_encoder, transformer_layer
from autograd_seq.nn.xlstm import MatrixMemory, ScalarMemory, mlstm, slstm

__all__ = [
    "LSTM", "Jordan", "MatrixMemory", "Neurons", "ScalarMemory", "add_blanks", "additive_attention", "best_path",
    "bidirectional", "causal_conv", "causal_mask", "clockwork", "coupled_lstm", "crf_loss", "ctc_loss", "dense",
    "dot_product_attention", "draw_path", "dropout", "echo_state", "embedding", "encode_latency", "encode_rate",
    "get_read_axis", "gru", "init", "irnn", "jordan", "layer_norm", "layer_norm_lstm", "leaky_readout", "learned_positions",
    "lif", "lru", "lstm", "mgu", "min_gru", "min_lstm", "mlstm", "multi_head_attention", "peephole_lstm", "projected_lstm",
    "read_labels", "rms_norm", "rnn", "rotary", "s4d", "score_path", "selective_scan", "sinusoidal", "slstm", "stack",
    "sum_paths", "transformer_decoder", "transformer_encoder", "transformer_layer", "zoneout",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.nn", __all__)
