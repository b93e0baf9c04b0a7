"""One test for many small cases: all of them run, and all that fail are shown.

pytest and its workers need some milliseconds for a test, more than a look at a file or at an operation takes, and there would
be thousands of these. What takes longer, or is picked by its name with ``-k``, is for ``pytest.mark.parametrize``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def each(names: str | Sequence[str], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that runs a test for every case, as ``parametrize`` does, within one test.

    Args:
        names: of the arguments that a case gives; a case of several, ``("a", "b")``, is a tuple.
        cases: the cases.

    Raises:
        ExceptionGroup: some have failed; each says for which case.
    """
    keys, several = [names] if isinstance(names, str) else [*names], list(cases)
    assert several, "there are no cases"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            failed = []
            for case in several:
                try:
                    test(**fixtures, **dict(zip(keys, [case] if isinstance(names, str) else case, strict=True)))
                except Exception as error:
                    error.add_note(f"in the case of {', '.join(keys)} = {case!s:.200}")
                    failed.append(error)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(several)} cases of {test.__name__}", failed)

        parameters = inspect.signature(test).parameters
        run.__signature__ = inspect.Signature([p for name, p in parameters.items() if name not in keys])  # type: ignore[attr-defined]
        return run

    return decorate
