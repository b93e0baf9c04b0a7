"""Expressions that are computed in another form than the one that is written, which is shown."""

from __future__ import annotations

from autograd_seq.core.facts import KEPT, WHOLE
from autograd_seq.core.op import defop

rewritten = defop(
    "rewritten", word=lambda form: form, shape=lambda twin, *shown, form: twin,
    forward=lambda twin, *shown, form: twin, dtype=lambda t, *_, **__: t,
    vjp=lambda g, y, twin, *shown, form: (g, *[None] * len(shown)), broadcasts=False,
    view=WHOLE, linear=(0,), range=KEPT, zero_safe=True,
    doc="An expression (``form`` of the operands ``shown``) computed as ``twin``: equal in exact arithmetic, and stable.",
)  # fmt: skip

__all__ = ["rewritten"]
