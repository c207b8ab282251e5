"""What a guard says: the figure of the touched calls after a change, against the one of before. Pure functions.

The windows are ``[start, end)`` in whole unix seconds, all of the length ``for`` of the guard:

- *before*: the one that ends when the push began;
- *now*: the last one that is settled (SETTLES after its end), once it lies wholly after the answer of the last proxy.

``error_rate`` is compared as a share (a difference of 0.02 is two of a hundred calls), percentiles in ms. Both windows
need ``min_calls``. The figures are the callers' (a timeout or a fault never reaches the target); where no caller
reports, the target's. A guard watches for WATCHES times its length, or for as long as its step is held if that is
longer; with `held`, it was not worse; with `no_traffic`, nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Self

from proxy_plugin.policy import Guard

SETTLES: Final = 3
"""s after the end of a window until its calls are in: proxies report every second, and we answer in 2 s."""
WATCHES: Final = 3

State = Literal["watching", "held", "broken", "no_traffic"]
Side = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Calls of a window and their figure: a share (0–1) for error_rate, else ms; None without calls."""

    calls: float
    value: float | None


Read = Callable[[Side, int, int], Reading]
"""The reading of one side in ``[start, end)``. Blocks."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How far a guard is. ``began``: when its push began, ``since``: when it was in force (unix s).

    ``until``: end of the watch, None: as long as a step is held. ``judged``: both windows had enough calls, once.
    """

    revision: int
    began: int
    since: int
    until: int | None
    state: State = "watching"
    judged: bool = False
    side: Side | None = None
    before: Reading | None = None
    now: Reading | None = None

    def document(self) -> dict[str, Any]:
        """As JSON; :meth:`of` reads it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """What was stored."""
        readings = {
            name: Reading(**found) if (found := document.get(name)) else None for name in ("before", "now")
        }
        return cls(**{**document, **readings})


def watched(guard: Guard, revision: int, began: float, since: float, *, endless: bool = False) -> Watch:
    """A watch that begins. ``began``, ``since``: unix s; ``endless``: until somebody says that it is enough."""
    first = math.ceil(since)
    until = None if endless else first + WATCHES * length(guard)
    return Watch(revision, math.floor(began), first, until)


def length(guard: Guard) -> int:
    """Of a window, s."""
    return max(1, math.ceil(guard.over.seconds))


def judged(guard: Guard, watch: Watch, now: float, read: Read) -> Watch:
    """The watch as it is at ``now`` (unix s)."""
    settled, size = math.floor(now) - SETTLES, length(guard)
    if watch.state != "watching" or settled < watch.began:
        return watch
    if watch.side is None or watch.before is None:
        watch = _with_before(watch, size, read)
    end = settled if watch.until is None else min(settled, watch.until)
    if end - size >= watch.since:
        watch = replace(watch, now=read(watch.side or "client", end - size, end))
        if comparable(guard, watch):
            watch = replace(watch, judged=True)
            if worse(guard, watch):
                return replace(watch, state="broken")
    if watch.until is not None and settled >= watch.until:
        return replace(watch, state="held" if watch.judged else "no_traffic")
    return watch


def comparable(guard: Guard, watch: Watch) -> bool:
    """Whether both windows had enough calls."""
    return all(
        each is not None and each.value is not None and each.calls >= max(1, guard.min_calls)
        for each in (watch.before, watch.now)
    )


def worse(guard: Guard, watch: Watch) -> bool:
    """Whether the figure has grown by more than is allowed."""
    before, now = (each.value if each else None for each in (watch.before, watch.now))
    return before is not None and now is not None and now - before > guard.worse_by


def said(guard: Guard, watch: Watch) -> str:
    """Both figures and counts in words."""
    now, before = (_said(guard, each) for each in (watch.now, watch.before))
    return (
        f"{guard.metric} {now} in {guard.over} after revision {watch.revision}, {before} before: "
        f"worse by more than {_figure(guard, guard.worse_by)}"
    )


def _said(guard: Guard, reading: Reading | None) -> str:
    if reading is None or reading.value is None:
        return "unknown"
    return f"{_figure(guard, reading.value)} of {reading.calls:.0f} calls"


def _figure(guard: Guard, value: float) -> str:
    return f"{value:.2%}" if guard.metric == "error_rate" else f"{value:.4g} ms"


def _with_before(watch: Watch, size: int, read: Read) -> Watch:
    sides: tuple[Side, ...] = ("client", "server")
    for side in sides:
        found = read(side, watch.began - size, watch.began)
        if found.calls:
            return replace(watch, side=side, before=found)
    return replace(watch, side="client", before=Reading(0.0, None))
