"""Cardinality bounded per service (P6): so many operations and instances are counted apart, the rest together.

Totals stay exact, a noisy service does not blind others, and series that are known go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import polars as pl

OTHER: Final = "(other)"
"""What is beyond the bound, together."""
OPERATIONS: Final = 200
"""Of one service that are counted apart."""
INSTANCES: Final = 200
"""Of one service that are counted apart."""
_GONE: Final = 86400.0  # s: an instance that said nothing for so long makes room for others


class Bound:
    """Which values of one name are counted apart, for each service. For one thread.

    A value that is known stays known, and once a service is full no other becomes known: what is taken back goes where
    it was counted.
    """

    def __init__(
        self,
        name: str,
        most: int,
        owner: pl.Expr,
        gone: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``owner``: whose the value is; ``gone``: s after which a value that nobody names is forgotten."""
        self._name, self._most, self._owner = name, most, owner.alias("_owner")
        self._gone, self._clock = gone, clock
        self._known: dict[str, dict[str, float]] = {}

    def know(self, names: pl.DataFrame) -> None:
        """Go on with the names of series that were counted before; there may be more than the bound."""
        now = self._clock()
        for owner, value in self._named(names).iter_rows():
            self._known.setdefault(owner, {})[value] = now

    def bounded(self, names: pl.DataFrame) -> pl.DataFrame:
        """The names of series (columns of :data:`collector.calls.NAMES`), with :data:`OTHER` for what is too many."""
        now = self._clock()
        over = [pair for pair in self._named(names).iter_rows() if not self._keeps(now, *pair)]
        if not over:
            return names
        pair = {"_owner": pl.String, self._name: pl.String}
        rest = pl.DataFrame(over, schema=pair, orient="row").with_columns(_over=True)
        found = names.with_columns(self._owner).join(rest, on=[*pair], how="left", maintain_order="left")
        kept = pl.when(pl.col("_over")).then(pl.lit(OTHER)).otherwise(self._name).alias(self._name)
        return found.with_columns(kept).select(names.columns)

    def _keeps(self, now: float, owner: str, value: str) -> bool:
        known = self._known.setdefault(owner, {})
        if value not in known and len(known) >= self._most and self._gone is not None:
            known = {name: seen for name, seen in known.items() if now - seen < self._gone}
            self._known[owner] = known
        if value in known or len(known) < self._most:
            known[value] = now
        return value in known

    def _named(self, names: pl.DataFrame) -> pl.DataFrame:
        """The different values, and whose they are."""
        named = names.filter(~pl.col(self._name).is_in(["", OTHER]))
        return named.select(self._owner, self._name).unique(maintain_order=True)


class Operations(Bound):
    """An operation belongs to the target if that is known from spans of its own, else to who calls it."""

    def __init__(self, most: int = OPERATIONS) -> None:
        spoke = pl.col("target_kind").is_in(["service", "gateway"])
        super().__init__("operation", most, pl.when(spoke).then("target").otherwise("source"))


class Instances(Bound):
    """An instance is the target's. Each deployment brings new ones, so those that are silent for a day go."""

    def __init__(self, most: int = INSTANCES, clock: Callable[[], float] = time.time) -> None:
        super().__init__("instance", most, pl.col("target"), _GONE, clock)


class Bounds:
    """All of them. For one thread."""

    def __init__(self, operations: int = OPERATIONS, instances: int = INSTANCES) -> None:
        """How many of a service are counted apart."""
        self._each: tuple[Bound, ...] = (Operations(operations), Instances(instances))

    def know(self, names: pl.DataFrame) -> None:
        """See :meth:`Bound.know`."""
        for bound in self._each:
            bound.know(names)

    def bounded(self, names: pl.DataFrame) -> pl.DataFrame:
        """See :meth:`Bound.bounded`."""
        for bound in self._each:
            names = bound.bounded(names)
        return names
