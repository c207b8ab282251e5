"""When circuit breakers changed."""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy.engine import Engine

from collector.breaker_edges import TRANSITIONS
from store import transitions
from store.transitions import Wanted

AT = 1_700_000_000.0


def rows(*given: tuple[float, str, str, str], **rest: Any) -> pl.DataFrame:
    """Seconds after AT, instance, before and state of a > b."""
    facts = {
        "source": "a",
        "target": "b",
        "version": "*",
        "host": "",
        "reasons": "",
        "ejected": 0.0,
        "hosts": 2.0,
    }
    found = [
        facts | rest | {"time": AT + at, "instance": instance, "before": before, "state": state}
        for at, instance, before, state in given
    ]
    return pl.DataFrame(found, schema=TRANSITIONS)


def states(engine: Engine, wanted: Wanted = Wanted(0, 2**32), **page: Any) -> list[tuple[float, str]]:  # noqa: B008 - a value
    found = transitions.page(engine, wanted, page.pop("limit", 100), **page)
    return found.select(pl.col("time") - AT, "state").rows()


def test_what_is_written_is_read_the_newest_first(telemetry: Engine) -> None:
    given = rows(
        (0.125, "a-1", "unknown", "closed"), (1.5, "a-1", "closed", "open"), reasons="requests,overflow"
    )
    transitions.write(telemetry, given, "c1")
    found = transitions.page(telemetry, Wanted(AT, AT + 9), 9)
    assert found.equals(given.reverse())


def test_a_window_holds_its_start_and_not_its_end(telemetry: Engine) -> None:
    transitions.write(telemetry, rows(*((float(n), "a-1", "closed", "open") for n in range(4))), "")
    assert states(telemetry, Wanted(AT + 1, AT + 3)) == [(2.0, "open"), (1.0, "open")]


def test_of_one_caller_or_target(telemetry: Engine) -> None:
    transitions.write(telemetry, rows((0, "1", "closed", "open"), source="x"), "")
    transitions.write(telemetry, rows((1, "1", "closed", "open"), target="y' OR 1=1 --"), "")
    assert states(telemetry, Wanted(0, 2**32, source="x")) == [(0.0, "open")]
    assert states(telemetry, Wanted(0, 2**32, target="y' OR 1=1 --")) == [(1.0, "open")]
    assert states(telemetry, Wanted(0, 2**32, target="' OR '1'='1")) == []


def test_pages_meet(telemetry: Engine) -> None:
    given = rows(*((float(n // 2), f"a-{n}", "closed", "open") for n in range(7)))
    transitions.write(telemetry, given, "")
    found: list[str] = []
    after = None
    for _ in range(4):
        page = transitions.page(telemetry, Wanted(0, 2**32), 2, after)
        found += page["instance"].to_list()
        last = page.row(-1, named=True)
        after = [round(last["time"] * 1e3), *(last[name] for name in transitions.ORDER[1:])]
    assert sorted(found) == [f"a-{n}" for n in range(7)]
    assert len(found) == 7


def test_what_was_known_at_a_moment(telemetry: Engine) -> None:
    given = (0, "1", "unknown", "closed"), (5, "1", "closed", "open"), (9, "1", "open", "closed")
    transitions.write(telemetry, rows(*given, (3, "2", "closed", "unknown")), "")
    transitions.write(telemetry, rows((6, "1", "in", "ejected"), host="10.0.0.1:80"), "")

    def known(at: float) -> dict[str, tuple[str, float]]:
        found = transitions.at(telemetry, AT + at, AT - 60)
        return {row["instance"]: (row["state"], row["since"] - AT) for row in found.to_dicts()}

    assert known(4) == {"1": ("closed", 0), "2": ("unknown", 3)}
    assert known(7)["1"] == ("open", 5)
    assert known(10)["1"] == ("closed", 9)
