"""What can go wrong with a picture; of autograd_seq's own tree of exceptions, in its one form."""

from __future__ import annotations

from autograd_seq.core.errors import AutogradSeqError, did_you_mean


class DrawError(AutogradSeqError, ValueError):
    """A picture cannot be drawn as requested: a wrong option, format or path."""


class TooLargeError(DrawError):
    """A picture would be too large to draw or to read."""


class RenderError(AutogradSeqError, RuntimeError):
    """The DOT text of a picture exists, but no installed program could render it."""


class GlyphWarning(UserWarning):
    """A picture was rendered with boxes in place of letters for which no font is installed."""


def make_option_error(code: str, option: str, got: object, allowed: tuple[str, ...]) -> DrawError:
    """Return the error for an option outside its list.

    Example:
        >>> print(make_option_error("P1", "theme", "sepia", ("white", "dark")))
        DrawError [P1]: unknown theme: 'sepia'
          expected one of white, dark, got 'sepia'
    """
    near = did_you_mean(got, allowed) if isinstance(got, str) else None
    return DrawError(
        code, f"unknown {option}: {got!r:.60}", expected=f"one of {', '.join(allowed)}", got=f"{got!r:.60}",
        fix=near if near and near.startswith("did you mean") else None,
    )  # fmt: skip
