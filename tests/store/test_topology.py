"""Which edges there were when, against what the calls themselves say."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from runpy import run_path

import polars as pl
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from store import calls, retention, topology
from store.migrate import migrations
from store.rollups import Kept
from tests.collector import notation
from tests.store.test_calls import merge_parts

HOUR = topology.HOUR
START = notation.START // 10**9 // HOUR * HOUR

Spell = tuple[str, str, int, int]
"""Source, target, first and last, s after START."""


def of(text: str, *, at: int) -> Buckets:
    """The calls of a case that begins ``at`` s after START."""
    return moved(buckets(notation.calls(text)), START - notation.START // 10**9 + at)


def moved(part: Buckets, seconds: int) -> Buckets:
    later = pl.col("time") + seconds
    return Buckets(part.sums.with_columns(later), part.bins.with_columns(later))


def spells(engine: Engine, *, since: int = 0, silence: int = HOUR) -> list[Spell]:
    found = topology.spells(engine, since, silence)
    rows = found.select("source", "target", pl.col("first") - START, pl.col("last") - START).rows()
    return sorted(rows)


PAIR = "1 C a 20; 2<1 S b 10"


@pytest.mark.parametrize("merged", [False, True])
def test_first_and_last_of_every_edge(telemetry: Engine, merged: bool) -> None:
    for at in (30, 10, 20, 5 * HOUR):
        calls.write(telemetry, of(PAIR, at=at))
    calls.write(telemetry, of("1 S c", at=7))
    if merged:
        merge_parts(telemetry, "topology")
    assert spells(telemetry, silence=99 * HOUR) == [("a", "b", 10, 5 * HOUR), ("user", "c", 7, 7)]
    (row,) = topology.spells(telemetry, 0, 99 * HOUR).filter(pl.col("source") == "a").iter_rows(named=True)
    assert [row[name] for name in ("calls", "client_calls", "server_calls")] == [4, 4, 4]


def test_a_silence_ends_a_spell(telemetry: Engine) -> None:
    for at in (0, HOUR - 1, HOUR, 3 * HOUR - 1, 4 * HOUR - 1):
        calls.write(telemetry, of(PAIR, at=at))
    assert spells(telemetry, silence=2 * HOUR) == [("a", "b", 0, 4 * HOUR - 1)]
    assert spells(telemetry, silence=2 * HOUR - 1) == [
        ("a", "b", 0, HOUR),
        ("a", "b", 3 * HOUR - 1, 4 * HOUR - 1),
    ]
    assert len(spells(telemetry, silence=HOUR)) == 3


def test_what_was_drawn_for_want_of_a_span_was_never_there(telemetry: Engine) -> None:
    """R1, R5: the caller's span comes first, then the called one's, which takes the named target back."""
    named, paired = of("1 C a [peer.service=x]", at=0), of(PAIR, at=0)
    calls.write(telemetry, named)
    assert spells(telemetry) == [("a", "x", 0, 0)]
    calls.write(telemetry, Buckets.merge([named.negated(), paired]))
    assert spells(telemetry) == [("a", "b", 0, 0)]
    merge_parts(telemetry, "topology")
    assert spells(telemetry) == [("a", "b", 0, 0)]


def test_an_hour_that_was_taken_back_does_not_make_an_edge_older(telemetry: Engine) -> None:
    early = of(PAIR, at=0)
    for part in (early, of(PAIR, at=9 * HOUR), early.negated()):
        calls.write(telemetry, part)
    assert spells(telemetry, silence=99 * HOUR) == [("a", "b", 9 * HOUR, 9 * HOUR)]


def test_any_history_against_brute_force(telemetry: Engine) -> None:
    """Hundreds of calls in any order, some of them taken back; whole hours of them, as spells are by the hour."""
    chance = random.Random(4)  # noqa: S311
    made_of = {name: of(f"1 C a; 2<1 S {name}", at=0) for name in ("b", "c")}
    left: dict[str, list[int]] = {"b": [], "c": []}
    parts: list[Buckets] = []
    for hour in range(60):
        for name, times in left.items():
            made = sorted(chance.sample(range(HOUR), chance.choice((0, 0, 1, 3))))
            kept = chance.random() < 0.6
            for second in made:
                call = moved(made_of[name], hour * HOUR + second)
                parts += [call] if kept else [call, call.negated()]
            times += [hour * HOUR + second for second in made] if kept else []
    chance.shuffle(parts)
    for part in [Buckets.merge(parts[:200]), *parts[200:220], Buckets.merge(parts[220:])]:
        calls.write(telemetry, part)
    for silence in (HOUR, 5000, 4 * HOUR, 10**6):
        assert spells(telemetry, silence=silence) == sorted(
            ("a", name, spell[0], spell[-1])
            for name, times in left.items()
            for spell in pieces(times, silence)
        )


def pieces(times: list[int], silence: int) -> list[list[int]]:
    found: list[list[int]] = []
    for time_ in times:
        if found and time_ - found[-1][-1] < silence:
            found[-1].append(time_)
        else:
            found.append([time_])
    return found


def test_only_what_is_asked_for_is_read(telemetry: Engine) -> None:
    for at in (0, HOUR, 2 * HOUR):
        calls.write(telemetry, of(PAIR, at=at))
    assert spells(telemetry, since=START + HOUR, silence=99 * HOUR) == [("a", "b", HOUR, 2 * HOUR)]
    assert spells(telemetry, since=2**40) == []
    assert spells(telemetry, since=-5, silence=0) == spells(telemetry)


def test_what_is_past_the_retention_goes(telemetry: Engine) -> None:
    now = int(time.time())
    for ago in (60, 40 * 86400):
        calls.write(telemetry, of(PAIR, at=now - ago - START))
    retention.apply(telemetry, Kept(timedelta(days=3), timedelta(days=30)))
    merge_parts(telemetry, "topology")
    assert [now - START - last for *_, last in spells(telemetry)] == [60]


def test_calls_of_before_are_known_after_the_migration(telemetry: Engine) -> None:
    """As they stand, not as they were written; and an upgrade that was cut off may be repeated."""
    files = sorted((migrations() / "telemetry" / "versions").glob("000[69]_*.py"))
    upgrades = [run_path(str(file))["upgrade"] for file in files]
    with telemetry.connect() as connection:
        for statement in ("DROP VIEW topology_from", "DROP TABLE topology"):
            connection.execute(sa.text(statement))
    for part in (of(PAIR, at=50), of(PAIR, at=9), of(PAIR, at=9).negated()):
        calls.write(telemetry, part)
    for _ in range(2):
        with telemetry.connect() as connection, Operations.context(MigrationContext.configure(connection)):
            for upgrade in upgrades:
                upgrade()
    calls.write(telemetry, of(PAIR, at=77))
    assert spells(telemetry) == [("a", "b", 50, 77)]
