"""From requests as they came to what is stored: decoded together, refused where they grow too much, cut where too long.

A request of fifty spans costs three times as much to decode alone as among others. Telemetry is small on the wire and
large in memory: every record gets a copy of what its resource says. So what is stored at once is not bounded by the
wire's size, but by :mod:`collector.expansion`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import structlog

from collector import expansion, records
from collector.consumer import Accepted, ConsumeError, Encoded, Overloaded, Rejected, Request, Signal
from collector.offsets import Offsets
from collector.trim import Limits, trim

log = structlog.get_logger(__name__)

TOGETHER: Final = (
    1 << 20
)  # bytes on the wire that are decoded in one go: the interpreter stands still meanwhile
TOO_LARGE: Final = "the request would take too much memory"
UNREADABLE: Final = "the request cannot be read"

_SAID: Final = {
    "value": "{n} values were cut to {limits.value_bytes} bytes",
    "name": "{n} names were cut to {limits.name_bytes} bytes",
    "attributes": "{n} attributes were dropped: {limits.attributes} are kept of each span, record or resource",
    "events": "{n} events were dropped: {limits.events} are kept of each span",
    "links": "{n} links were dropped: {limits.links} are kept of each span",
}
"""What was cut → what its sender is told."""


@dataclass(slots=True)
class Looked:
    """What became of one request."""

    rows: int = 0  # records, once they are known
    cut: Counter[str] = field(default_factory=Counter)
    answer: Accepted | ConsumeError = field(default_factory=lambda: Overloaded("the commit broke off"))
    reason: str = UNREADABLE  # why it was refused for good, for who counts that

    def told(self, accepted: Accepted, limits: Limits) -> Accepted:
        """``accepted``, and what was cut."""
        cut = tuple(_SAID[what].format(n=n, limits=limits) for what, n in self.cut.items())
        return Accepted(accepted.rejected, accepted.reasons + cut)


@dataclass(slots=True)
class Opened:
    """Requests that are stored at once."""

    requests: list[Request] = field(default_factory=list)
    looked: list[Looked] = field(default_factory=list)
    decoded: dict[Signal, list[pa.RecordBatch]] = field(default_factory=dict)
    """A row for each request that is not refused."""
    which: dict[Signal, list[int]] = field(default_factory=dict)
    """For each of these rows its place in ``requests``."""
    expanded: int = 0

    def add(self, found: _Found) -> None:
        """One more bundle."""
        first = len(self.requests)
        self.requests += found.requests
        self.looked += found.looked
        self.expanded += found.expanded
        if found.decoded is not None:
            signal = found.requests[0].signal
            self.decoded.setdefault(signal, []).append(found.decoded)
            self.which.setdefault(signal, []).extend(range(first, len(self.requests)))

    def rows(self, signal: Signal) -> int:
        """Records of the requests that are not refused."""
        return sum(self.looked[at].rows for at in self.which.get(signal, ()))


@dataclass(frozen=True, slots=True)
class _Found:
    """Requests that were decoded together, or one that is refused (``decoded`` is None)."""

    requests: Sequence[Request]
    looked: list[Looked]
    decoded: pa.RecordBatch | None = None
    expanded: int = 0


def opened(requests: Sequence[Request], limits: Limits) -> Iterator[Opened]:
    """``requests``, in their order, in as many parts as fit in ``limits.expanded_bytes`` each."""
    part = Opened()
    for bundle in _bundles(requests):
        for found in _decoded(bundle, limits):
            if part.requests and part.expanded + found.expanded > limits.expanded_bytes:
                yield part
                part = Opened()
            part.add(found)
    yield part


def _bundles(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Neighbours that can be decoded in one go."""
    bundle: list[Request] = []
    for request in requests:
        if bundle and not _alike(bundle, request):
            yield bundle
            bundle = []
        bundle.append(request)
    if bundle:
        yield bundle


def _alike(bundle: list[Request], request: Request) -> bool:
    first = bundle[0]
    if not (isinstance(first, Encoded) and isinstance(request, Encoded)):
        return False
    return request.codec is first.codec and sum(one.size for one in bundle) + request.size <= TOGETHER


def _decoded(bundle: list[Request], limits: Limits) -> Iterator[_Found]:
    """All at once where nothing is wrong with any of them, else one by one."""
    found = _all_good(bundle, limits) if len(bundle) > 1 else None
    if found is not None:
        yield found
        return
    for request in bundle:
        yield _alone(request, limits)


def _all_good(bundle: list[Request], limits: Limits) -> _Found | None:
    encoded = [request for request in bundle if isinstance(request, Encoded)]
    try:
        decoded = encoded[0].codec([request.body for request in encoded])
        offsets, size = Offsets(decoded), decoded.nbytes
        if size > limits.expanded_bytes or not offsets.within(limits):
            return None
        expanded = expansion.of(decoded, offsets, size).bytes
        looked = [Looked(rows) for rows in records.count(decoded, offsets).tolist()]
    except BaseException:  # a panic of the decoder is no Exception; who is to blame is found one by one
        return None
    return _Found(bundle, looked, decoded, expanded) if expanded <= limits.expanded_bytes else None


def _alone(request: Request, limits: Limits) -> _Found:
    looked = Looked()
    try:
        decoded = request.codec([request.body]) if isinstance(request, Encoded) else request.records
        looked.rows = int(records.count(decoded).sum())
        looked.reason = TOO_LARGE
        decoded, looked.cut, expanded = admit(decoded, limits)
    except BaseException as error:
        if not isinstance(error, ConsumeError):
            log.warning("request_failed", error=repr(error)[:500], exc_info=True)  # a defect of ours
        looked.answer = refusal(error)
        return _Found([request], [looked])
    looked.reason = UNREADABLE
    return _Found([request], [looked], decoded, expanded)


def refusal(error: BaseException, *, alone: bool = True) -> ConsumeError:
    """What the senders of requests are told that could not be stored; ``alone``: it is this one's fault."""
    if isinstance(error, ConsumeError):
        return error
    if alone and not isinstance(error, MemoryError):
        return Rejected(f"{UNREADABLE}: {type(error).__name__}: {str(error)[:200]}")
    return Overloaded(f"the batch was not stored: {type(error).__name__}")


def rows_of(request: Request) -> int:
    """How many records it has; none where it cannot be read."""
    try:
        decoded = request.codec([request.body]) if isinstance(request, Encoded) else request.records
        return int(records.count(decoded).sum())
    except Rejected:
        return 0


def admit(decoded: pa.RecordBatch, limits: Limits) -> tuple[pa.RecordBatch, Counter[str], int]:
    """One request within ``limits``, counts of what was cut, and its expanded size.

    Raises:
        Rejected: it would take more than ``limits.expanded_bytes``.
    """
    size = decoded.nbytes
    if size > limits.expanded_bytes:
        raise Rejected(_too_large(size, limits, "it has too many records or attributes"))
    offsets, cut = Offsets(decoded), Counter[str]()
    if not offsets.within(limits):
        decoded, cut = trim(decoded, limits)
        offsets = Offsets(decoded)
    found = expansion.of(decoded, offsets)
    if found.bytes > limits.expanded_bytes:
        raise Rejected(_too_large(found.bytes, limits, _where(found)))
    return decoded, +cut, found.bytes


def _where(found: expansion.Expansion) -> str:
    """What most of it is."""
    if found.written > found.resource_bytes * found.resource_rows:
        return f"its lists, maps and bytes are up to {found.written} bytes as text"
    return (
        f"resource {found.resource} says {found.resource_bytes} bytes, which each of its"
        f" {found.resource_rows} records gets, and there are {found.rows} records in all"
    )


def _too_large(size: int, limits: Limits, where: str) -> str:
    return (
        f"the request would take {size >> 20} MiB in memory, the limit is {limits.expanded_bytes >> 20} MiB:"
        f" {where}; send fewer records per request, or say less in the resource"
    )
