"""The order in which the variables of a picture are computed."""

from __future__ import annotations

import heapq
import math

from viz.scene.picture import Picture, Step

_JOINTS = ("joint", "point", "sharedpoint")


def rank_marks(picture: Picture) -> dict[object, int]:
    """Return for each variable its place in the order of computing: after all that lines lead into it from.

    Example:
        >>> from viz.scene.picture import Line, Mark
        >>> marks = [Mark("y", "output"), Mark("x", "input")]
        >>> rank_marks(Picture(marks, [Line("x", "y", curve=((0, 0),) * 4)]))
        {'x': 0, 'y': 1}
    """
    heads: dict[object, list[object]] = {}
    waiting = {mark.key: 0 for mark in picture.marks}
    folded = {mark.key for mark in picture.marks if mark.step is None and mark.role not in _JOINTS}
    for line in picture.lines:
        earlier = line.role == "recur" and line.tail in folded and line.head in folded  # a delay of the cycle
        if (line.role != "start" or line.arrow) and not earlier:
            heads.setdefault(line.tail, []).append(line.head)
            waiting[line.head] += 1
    # Within what is ready, earlier steps come first: what is static waits, since it may read all of them.
    place = {mark.key: (_count_steps(mark.step), i) for i, mark in enumerate(picture.marks)}
    ready = [(place[key], i) for i, (key, count) in enumerate(waiting.items()) if not count]
    keys = list(waiting)
    number = {key: i for i, key in enumerate(keys)}
    heapq.heapify(ready)
    order = []
    while ready:
        key = keys[heapq.heappop(ready)[1]]
        order.append(key)
        for head in heads.get(key, ()):
            waiting[head] -= 1
            if not waiting[head]:
                heapq.heappush(ready, (place[head], number[head]))
    done = set(order)
    order += [key for key in waiting if key not in done]  # on a cycle of a folded picture
    silent = ("text", "words", "slice", *_JOINTS)
    shown = {mark.key for mark in picture.marks if mark.role not in silent and mark.shape != "plaintext"}
    return {key: i for i, key in enumerate(key for key in order if key in shown)}


def find_sources(picture: Picture) -> dict[object, set[object]]:
    """Return for each joint of lines the variables from which lines lead to it.

    Example:
        >>> from viz.scene.picture import Line, Mark
        >>> marks = [Mark("x", "input"), Mark("a", "joint"), Mark("b", "joint")]
        >>> find_sources(Picture(marks, [Line("x", "a"), Line("a", "b")]))
        {'a': {'x'}, 'b': {'x'}}
    """
    found: dict[object, set[object]] = {mark.key: set() for mark in picture.marks if mark.role in _JOINTS}
    heads: dict[object, list[object]] = {}
    for line in picture.lines:
        if line.head in found:
            heads.setdefault(line.tail, []).append(line.head)
    for source in [key for key in heads if key not in found]:
        ahead = [*heads[source]]
        while ahead:
            joint = ahead.pop()
            if source not in found[joint]:
                found[joint].add(source)
                ahead += heads.get(joint, ())
    return found


def _count_steps(step: Step) -> float:
    """Return how early a step is; of pairs of steps, those of one wavefront are together."""
    return math.inf if step is None else sum(step) if isinstance(step, tuple) else step
