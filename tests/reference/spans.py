"""A span as the reference sees it: plain values, nothing derived when it was received."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool
Key = tuple[str, str, str, str, str]  # tenant, trace, id, side, service: the identity of R1.2

CALLING, CALLED, LOCAL = "calling", "called", "local"
SIDES = {"C": CALLING, "P": CALLING, "S": CALLED, "N": CALLED, "I": LOCAL, "U": LOCAL}


@dataclass(frozen=True)
class Span:
    """One span as sent.

    ``trace`` has 32 and ``id`` 16 hex digits; ``kind`` is a letter of the cases' notation; ``service`` the service id
    (``namespace/name``; "" = none stated); ``duration_ns`` is end − start and may be negative; ``status`` is
    "UNSET", "OK" or "ERROR"; ``links`` are pairs of trace and span id.
    """

    trace: str
    id: str
    parent: str | None
    kind: str
    service: str
    start_ns: int
    duration_ns: int
    status: str = "UNSET"
    name: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    resource: Mapping[str, Value] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    tracestate: str = ""
    shared: bool = False
    scope: str = ""
    zipkin: bool = False
    tenant: str = ""
    probability: str | None = None  # what a configured attribute says (R9), see weights.configured

    @property
    def side(self) -> str:
        return SIDES[self.kind]

    @property
    def key(self) -> Key:
        return (self.tenant, self.trace, self.id, self.side, self.service)

    @property
    def namespace(self) -> str:
        """A hop is where its application is."""
        return self.service.removeprefix("proxy(").rpartition("/")[0]

    @property
    def length_ns(self) -> int:
        """R8: end < start → duration 0."""
        return max(0, self.duration_ns)

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.length_ns

    @property
    def instance(self) -> str:
        """R2.1: ``service.instance.id``, else pod or host address."""
        names = ("service.instance.id", "k8s.pod.ip", "host.ip")
        return next((text for name in names if (text := as_text(self.resource.get(name)))), "")

    @property
    def source(self) -> tuple[str, ...]:
        """R7.5: where the telemetry comes from: sdk and distribution, else the instrumentation scope."""
        named = tuple(as_text(self.resource.get(f"telemetry.{part}.name")) for part in ("sdk", "distro"))
        return named if any(named) else tuple(filter(None, (self.scope,)))

    def text(self, *names: str) -> str:
        """The first stated one of these attributes as text; "" when none is."""
        return next((text for name in names if (text := as_text(self.attributes.get(name)))), "")

    def number(self, *names: str) -> int | None:
        """The first of these attributes that is an integer, sent as a number or as text."""
        for name in names:
            try:
                return int(float(as_text(self.attributes.get(name))))
            except (ValueError, OverflowError):
                continue
        return None

    def replace(self, **changes: object) -> Span:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def content(self) -> str:
        """Everything a span says, comparable: equal content is the same span (R1.2)."""
        parts = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        for name in ("attributes", "resource"):
            parts[name] = sorted((key, repr(value)) for key, value in parts[name].items())
        return repr(parts)


def as_text(value: Value | None) -> str:
    """Attribute values come as text or typed; the rules read them as text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
