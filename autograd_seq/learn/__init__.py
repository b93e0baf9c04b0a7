"""Training: optimisers as pure functions, learning rates as functions of the step, a training loop, and files that survive."""

from typing import TYPE_CHECKING

from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.learn.clip import clip_by_norm, clip_by_value, global_norm
from autograd_seq.learn.data import buckets, pad, shuffled, split, windows
from autograd_seq.learn.feeding import batches, segments
from autograd_seq.learn.last_batch import OtherBatchesWarning
from autograd_seq.learn.lbfgs import lbfgs
from autograd_seq.learn.logs import CsvLog, Log
from autograd_seq.learn.loop import train
from autograd_seq.learn.optim import Optimizer, State, adam, adamw, momentum, rmsprop, sgd
from autograd_seq.learn.result import DivergenceError, Moment, Result
from autograd_seq.learn.save import load, save
from autograd_seq.learn.schedule import constant, cosine, exponential, linear_warmup, step_decay
from autograd_seq.learn.tensorboard import TensorBoardLog

__all__ = [
    "CsvLog", "DivergenceError", "Log", "Moment", "Optimizer", "OtherBatchesWarning", "Result", "State", "TensorBoardLog",
    "adam", "adamw", "batches", "buckets", "clip_by_norm", "clip_by_value", "constant", "cosine", "exponential",
    "global_norm", "lbfgs", "linear_warmup", "load", "momentum", "pad", "rmsprop", "save", "segments", "sgd", "shuffled",
    "split", "step_decay", "train", "windows",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.learn", __all__)
