"""What the collector tells of its own work to who wants to know: once per commit and derivation, nothing per span.

Who listens may send it here as spans. Work that only our own spans have caused is not told of, else each telling would
cause another: a server that has nothing else to do falls silent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.consumer import ConsumeError, Request, Signal
from collector.opening import Looked

log = structlog.get_logger(__name__)

OWN_SERVICE: Final = "meshscope"
"""``service.name`` of our own spans, also those of another Meshscope: two that tell each other fall silent as well."""
_NAME: Final = "service.name"

Fact = str | int | float


class Observe(Protocol):
    """Told of a piece of work that has just ended."""

    def __call__(self, what: str, began: int, *, error: str = "", **facts: Fact) -> None:
        """``began``: unix ns; ``error``: what it failed with; it must not raise."""
        ...


@contextmanager
def observing(observe: Observe | None, what: str, **facts: Fact) -> Iterator[None]:
    """Tell of what is done within, and whether it failed."""
    began, failed = time.time_ns(), ""
    try:
        yield
    except BaseException as error:
        failed = repr(error)
        raise
    finally:
        if observe is not None:
            observe(what, began, error=failed, **facts)


class Watch:
    """What a pipeline tells. Without ``observe`` nothing is looked at."""

    def __init__(self, observe: Observe | None) -> None:
        self._observe = observe
        self._seen = False  # others' requests are in the commit
        self._foreign = False  # others' spans were stored since the last derivation

    def repair(self, began: int) -> None:
        """Looking for what a crash left uncounted, at start."""
        self._tell("repair", began)

    def saw(self, requests: pa.RecordBatch) -> None:
        """Decoded requests, which are part of the commit that is being made."""
        if self._observe is not None:
            self._seen = self._seen or not is_own(requests)

    def commit(self, began: int, requests: Sequence[Request], looked: Sequence[Looked]) -> None:
        """What became of each request of a commit."""
        if not self._seen:
            return
        self._seen, self._foreign = False, True
        failure = next((str(one.answer) for one in looked if isinstance(one.answer, ConsumeError)), "")
        of = list(zip(requests, looked, strict=True))
        self._tell(
            "commit",
            began,
            failure,
            requests=len(of),
            spans=sum(one.rows for request, one in of if request.signal is Signal.SPANS),
            records=sum(one.rows for one in looked),
            bytes=sum(request.size for request in requests),
        )

    def derivation(self, began: int, spans: int, error: BaseException | None) -> None:
        """``spans`` waited for their calls."""
        if self._foreign and spans:
            self._tell("derivation", began, repr(error) if error else "", spans=spans)
        self._foreign = self._foreign and error is not None  # tried again

    def _tell(self, what: str, began: int, error: str = "", **facts: Fact) -> None:
        if self._observe is not None:
            try:
                self._observe(what, began, error=error, **facts)
            except Exception:  # the work goes on
                log.exception("not_told", what=what)


def is_own(requests: pa.RecordBatch) -> bool:
    """Whether all that reports in them is a Meshscope."""
    try:
        resources = requests.column(0).flatten().field("resource").field("attributes")
    except (AttributeError, KeyError):  # no request of ours: refused by who reads it
        return False
    attributes = resources.flatten()
    names = attributes.field("value").filter(pc.equal(attributes.field("key"), _NAME)).field("string_value")
    return bool(len(resources)) and len(names) == len(resources) and _all(pc.equal(names, OWN_SERVICE))


def _all(values: pa.Array) -> bool:
    return bool(pc.all(pc.fill_null(values, False)).as_py())
