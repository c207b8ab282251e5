"""A split as a schedule: which weights each step has, and how far it is. Pure functions.

The version of the schedule gets the weight of the step; the others share what is left in the proportions of the split
that the schedule began with (in equal parts where that gave them nothing), in whole percents: the largest remainders
are rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from proxy_plugin.policy import Finding, TrafficPolicy, Weight

State = Literal["running", "paused", "done", "aborted"]
Base = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a schedule is. ``step`` counts from 0; ``base``: version → weight of the split that it began with.

    ``until``: end of its hold (unix s), None in the last step or while it is paused; ``left``: s of it, then.
    ``back_to``: the revision before the schedule, None: there was none. ``failures``: pushes of the next step that
    failed, in a row.
    """

    state: State
    step: int
    base: Base
    hold: float
    back_to: int | None
    until: float | None = None
    left: float | None = None
    failures: int = 0
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON; :meth:`of` reads it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """What was stored."""
        base = tuple((version, weight) for version, weight in document["base"])
        return cls(**{**document, "base": base})

    def begun(self, now: float) -> Self:
        """In force since ``now`` (unix s)."""
        return replace(self, until=now + self.hold) if self.state == "running" else self

    def paused(self, now: float, reason: str) -> Self:
        """Its hold stands still."""
        left = max(0.0, self.until - now) if self.until is not None else None
        return replace(self, state="paused", until=None, left=left, reason=reason)

    def resumed(self, now: float) -> Self:
        """Goes on with what was left of its hold."""
        return replace(
            self, state="running", until=now + (self.left or 0.0), left=None, failures=0, reason=""
        )


def first(policy: TrafficPolicy, back_to: int | None) -> tuple[TrafficPolicy, Progress | None]:
    """The policy at its first step, and where its schedule is then; without a schedule, as it is."""
    if policy.steps is None or not policy.enabled or problems(policy):
        return policy, None
    base = tuple((share.version, share.weight) for share in policy.split or ())
    return at(policy, Progress("running", 0, base, 0.0, back_to))


def at(policy: TrafficPolicy, progress: Progress) -> tuple[TrafficPolicy, Progress]:
    """The policy at the step that ``progress`` says, and the progress with that step's hold."""
    if policy.steps is None:
        raise ValueError("no schedule")
    step = policy.steps.schedule[progress.step]
    last = progress.step == len(policy.steps.schedule) - 1
    split = shares(progress.base, policy.steps.version, step.weight)
    told = policy.model_copy(update={"split": split})
    return TrafficPolicy.model_validate(told.document()), replace(
        progress, state="done" if last else "running", hold=0.0 if last else step.hold.seconds, failures=0
    )


def shares(base: Base, version: str, weight: int) -> tuple[Weight, ...]:
    """The split with ``weight`` percent for ``version``, in the order of ``base``."""
    others = [(name, part) for name, part in base if name != version]
    rest = dict(zip((name for name, _ in others), _parts(100 - weight, [p for _, p in others]), strict=True))
    order = [name for name, _ in base] + ([] if version in dict(base) else [version])
    return tuple(Weight(version=name, weight=weight if name == version else rest[name]) for name in order)


def problems(policy: TrafficPolicy) -> list[Finding]:
    """What keeps a schedule from being one."""
    if policy.steps is None:
        return []
    if all(share.version == policy.steps.version for share in policy.split or ()):
        return [
            Finding(
                "error",
                "steps",
                "A schedule needs a split that names the versions which have the rest of the requests.",
                "Add split, for example [{version: v1, weight: 100}].",
            )
        ]
    return []


def hints(policy: TrafficPolicy) -> list[Finding]:
    """What is odd about a schedule."""
    if policy.steps is None or policy.guard is not None:
        return []
    words = "Without a guard the schedule goes on by time alone."
    return [Finding("warning", "steps", words, "Add a guard.")]


def _parts(whole: int, proportions: Sequence[int]) -> list[int]:
    """Whole numbers in these proportions that add up to ``whole``."""
    weights = [float(each) for each in proportions]
    if not any(weights):
        weights = [1.0] * len(weights)
    exact = [whole * each / sum(weights) for each in weights]
    parts = [int(each) for each in exact]
    by_remainder = sorted(range(len(parts)), key=lambda n: (parts[n] - exact[n], n))
    for number in by_remainder[: whole - sum(parts)]:
        parts[number] += 1
    return parts
