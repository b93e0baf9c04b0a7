"""Training: optimisers as pure functions, learning rates as functions of the step, and a training loop."""

from autograd_seq.learn.clip import clip_by_norm, clip_by_value, global_norm
from autograd_seq.learn.data import buckets, pad, shuffled, split, windows
from autograd_seq.learn.loop import DivergenceError, Result, train
from autograd_seq.learn.optim import Optimizer, State, adam, adamw, momentum, rmsprop, sgd
from autograd_seq.learn.save import load, save
from autograd_seq.learn.schedule import constant, cosine, exponential, linear_warmup, step_decay

__all__ = [
    "DivergenceError", "Optimizer", "Result", "State", "adam", "adamw", "buckets", "clip_by_norm", "clip_by_value",
    "constant", "cosine", "exponential", "global_norm", "linear_warmup", "load", "momentum", "pad", "rmsprop", "save",
    "sgd", "shuffled", "split", "step_decay", "train", "windows",
]  # fmt: skip
