"""R5.4 over restarts: who was met at which address is known again, and what was taken back is not."""

from __future__ import annotations

import time

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector.acquaintance import AGAIN, Noted
from collector.directory import REMEMBERED, SAID, Directory
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.messages import spans

PAIR = "1 C a [network.peer.address=10.0.0.7, network.peer.port=80]; 2<1 S b"
THERE = "10.0.0.7:80"


def known(collector: Collector) -> dict[str, str]:
    return dict(collector.directory.names(time.time()).addresses)


def test_after_an_orderly_stop(telemetry: Engine) -> None:
    first = Collector(StoreSink(telemetry))
    first.commit([spans(PAIR)])
    assert known(first) == {THERE: "b"}
    first.deriver.stop()
    assert known(Collector(StoreSink(telemetry))) == {THERE: "b"}


@pytest.mark.parametrize("counted", [True, False])
def test_after_a_crash(telemetry: Engine, counted: bool) -> None:
    """Whether or not the calls were derived, nothing was noted yet."""
    first = Collector(StoreSink(telemetry))
    (first.commit if counted else first.store)([spans(PAIR)])
    assert known(Collector(StoreSink(telemetry))) == {THERE: "b"}


def test_what_was_taken_back_stays_so(telemetry: Engine) -> None:
    first = Collector(StoreSink(telemetry))
    first.commit([spans(PAIR)])
    first.deriver.stop()
    second = Collector(StoreSink(telemetry))
    second.commit(
        [spans(PAIR.replace("10.0.0.7", "10.0.0.8").replace("=80]", "=80] 99"))]
    )  # R1.2: the longer copy
    assert known(second) == {"10.0.0.8:80": "b"}
    second.deriver.stop()
    assert known(Collector(StoreSink(telemetry))) == {"10.0.0.8:80": "b"}


def test_it_ends_an_hour_after_the_last_call_all_the_same(telemetry: Engine) -> None:
    now = int(time.time())
    sink = StoreSink(telemetry)
    sink.remember(said((THERE, "b", 0, now - 60), ("10.0.0.8", "c", now - REMEMBERED - 60, 0)))
    assert known(Collector(sink)) == {THERE: "b"}
    directory = Directory()
    directory.restore(sink.remembered())
    assert directory.names(now + REMEMBERED - 70).addresses == {THERE: "b"}
    assert directory.names(now + REMEMBERED).addresses == {}


def test_services_are_known_by_name_after_a_restart(telemetry: Engine) -> None:
    sink, now = StoreSink(telemetry), int(time.time())
    sink.remember(said(("", "shop/pay", now - 7200, 0)))
    names = Collector(sink).directory.names(now)
    assert (names.resolve("pay", "shop"), names.addresses) == ("shop/pay", {})


def said(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    return pl.DataFrame([(*row, 1) for row in rows], schema=SAID, orient="row")


def test_the_latest_note_counts(telemetry: Engine) -> None:
    sink = StoreSink(telemetry)
    sink.remember(said((THERE, "a", 5, 6), (THERE, "b", 7, 8)))
    sink.remember(said((THERE, "a", 0, 0)))
    sink.remember(said((THERE, "b", 7, 9)))
    assert sink.remembered().sort("service").rows() == [(THERE, "a", 0, 0, 1), (THERE, "b", 7, 9, 1)]


def test_only_what_changed_is_noted() -> None:
    noted, first = Noted(), said((THERE, "a", 1000, 0), ("", "a", 1000, 0))
    assert noted.due(first).height == 2
    noted.keep(first)
    soon = said((THERE, "a", 1000 + AGAIN - 1, 0), ("", "a", 1000, 0))
    assert noted.due(soon).height == 0
    assert noted.due(said((THERE, "a", 1000 + AGAIN, 0), ("", "a", 1000, 0))).rows() == [
        (THERE, "a", 1000 + AGAIN, 0, 1)
    ]
    assert noted.due(said((THERE, "a", 1000, 1), ("", "a", 1000, 0))).height == 1
    gone = noted.due(said(("", "a", 1000, 0)))
    assert gone.rows() == [(THERE, "a", 0, 0, 0)]
    noted.keep(gone)
    assert noted.due(said(("", "a", 1000, 0))).height == 0
    assert noted.due(first).rows() == [(THERE, "a", 1000, 0, 1)]


class Forgetful(Memory):
    """Does not take notes."""

    def remember(self, said: pl.DataFrame) -> None:
        raise OSError("the disk is full")


def test_a_note_that_fails_is_made_later() -> None:
    archive = Forgetful()
    collector = Collector(archive)
    collector.commit([spans(PAIR)])
    collector.deriver.stop()
    assert archive.unsettled(archive.settled()) != []  # the next start looks at the spans again
    assert known(Collector(archive)) == {THERE: "b"}
