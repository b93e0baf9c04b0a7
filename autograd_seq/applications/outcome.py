"""What an application is, what it returns, and the table of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Budget(NamedTuple):
    """How much an application may train.

    Args:
        seeds: of the first parameters; one network is trained from each.
        steps: of the optimizer, at most; None for as many as the application has been written for.

    Example:
        >>> Budget(seeds=(0,), steps=2).limit(400)
        2
    """

    seeds: Sequence[int] = (0, 1, 2)
    steps: int | None = None

    def limit(self, steps: int) -> int:
        """Return the number of steps of an application that asks for ``steps``."""
        return steps if self.steps is None else min(steps, self.steps)


class Outcome(NamedTuple):
    """The scores of a model and of its baselines, on data that was not used for training.

    Args:
        baselines: scores by name.
        model: the name of the model.
        scores: of the model, one a seed.
        picture: a Plot of ``viz``.
        remark: a sentence on what the numbers say, or "".
    """

    baselines: dict[str, float]
    model: str
    scores: list[float]
    picture: Any
    remark: str = ""


class Application(NamedTuple):
    """A question to real data, and the model that answers it.

    Args:
        title: what is asked.
        measure: the name and the unit of the scores.
        source: of the data, with its licence.
        run: trains and scores.
        needs: packages of the extra ``data``, by the names under which pip installs them.
        higher: whether a higher score is the better one.
    """

    title: str
    measure: str
    source: str
    run: Callable[[Budget], Outcome]
    needs: tuple[str, ...] = ()
    higher: bool = False

    def find_strongest(self, outcome: Outcome) -> tuple[str, float]:
        """Return the name and the score of the best baseline."""
        choose = max if self.higher else min
        return choose(outcome.baselines.items(), key=lambda item: item[1])

    def is_better(self, outcome: Outcome) -> bool:
        """Return whether the mean of the model's scores is better than the strongest baseline."""
        best, mean = self.find_strongest(outcome)[1], float(np.mean(outcome.scores))
        return mean > best if self.higher else mean < best


HEAD = ("application", "measure", "strongest baseline", "", "model", "mean ± deviation over seeds")


def make_report(application: Application, outcome: Outcome) -> str:
    """Return the scores of all baselines and of each seed, one a line.

    Example:
        >>> ask = Application("tomorrow", "MSE", "", lambda budget: None)
        >>> print(make_report(ask, Outcome({"persistence": 2.0}, "RNN", [1.0, 1.5], None)))
        tomorrow (MSE, lower is better)
          persistence                                  2
          RNN, seed by seed                            1  1.5
          RNN, mean                                 1.25  better than persistence
    """
    best, _ = application.find_strongest(outcome)
    verdict = "better than" if application.is_better(outcome) else "NOT better than"
    side = "higher" if application.higher else "lower"
    each = "  ".join(f"{score:.4g}" for score in outcome.scores)
    rows = [(name, f"{score:8.4g}", "") for name, score in outcome.baselines.items()]
    rows += [(f"{outcome.model}, seed by seed", f"{outcome.scores[0]:8.4g}", each.partition("  ")[2]),
             (f"{outcome.model}, mean", f"{np.mean(outcome.scores):8.4g}", f"{verdict} {best}")]  # fmt: skip
    lines = [f"{application.title} ({application.measure}, {side} is better)"]
    wide = max(38, *(len(name) + 1 for name, _, _ in rows))
    lines += [f"  {name:<{wide}}{score:>8}  {more}".rstrip() for name, score, more in rows]
    return "\n".join([*lines, *([f"  {outcome.remark}"] if outcome.remark else [])])


def make_table(results: Sequence[tuple[Application, Outcome]]) -> str:
    """Return one line an application, as a table of Markdown.

    Example:
        >>> ask = Application("tomorrow", "MSE", "", lambda budget: None)
        >>> print(make_table([(ask, Outcome({"persistence": 2.0}, "RNN", [1.0, 1.5], None))]))
        | application | measure | strongest baseline |  | model | mean ± deviation over seeds |
        |---|---|---|---|---|---|
        | tomorrow | MSE | persistence | 2 | RNN | **1.25 ± 0.35** |
    """
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    for application, outcome in results:
        name, score = application.find_strongest(outcome)
        result = describe_scores(outcome.scores)
        won = f"**{result}**" if application.is_better(outcome) else f"{result} (not better)"
        cells = (application.title, application.measure, name, f"{score:.4g}", outcome.model, won)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def describe_scores(scores: Sequence[float]) -> str:
    """Return the mean and the standard deviation of scores.

    Example:
        >>> describe_scores([1.0, 1.5]), describe_scores([2.0])
        ('1.25 ± 0.35', '2 (one seed)')
    """
    mean = f"{np.mean(scores):.4g}"
    return f"{mean} ± {np.std(scores, ddof=1):.2g}" if len(scores) > 1 else f"{mean} (one seed)"
