"""Hypothesis strategies: small random meshes and the traces that run through them.

The first alternative of every choice is the simplest one, so that what fails shrinks towards ``1 S a``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from tests.reference.notation import MS, START, span_id, trace_id
from tests.reference.spans import Span, Value

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]

FEATURES = frozenset(
    {
        "namespaces",
        "instances",
        "versions",
        "proxies",
        "sidecars",
        "gateways",
        "uninstrumented",
        "databases",
        "messages",
        "links",
        "shared",
        "weights",
        "probabilities",
        "locals",
        "entries",
        "failures",
        "names",
        "addresses",
        "twins",
        "retries",
        "callers",
        "jobs",
    }
)
LARGEST = 30  # spans of a trace
DEEPEST = 4

CLIENT_ENDS: tuple[tuple[str, dict[str, Value]], ...] = (
    ("UNSET", {}),
    ("ERROR", {}),
    ("ERROR", {"http.response.status_code": 404}),
    ("UNSET", {"http.status_code": "503"}),
    ("UNSET", {"rpc.grpc.status_code": 5}),
    ("UNSET", {"rpc.grpc.status_code": "4"}),
    ("UNSET", {"http.status_code": "0", "response_flags": "UF"}),
    ("UNSET", {"response_flags": "DC"}),
    ("OK", {"http.response.status_code": 500}),
    ("UNSET", {"error": ""}),
    ("UNSET", {"error": False}),
    ("ERROR", {"error.type": "java.net.SocketTimeoutException"}),
)
SERVER_ENDS: tuple[tuple[str, dict[str, Value]], ...] = (
    ("UNSET", {}),
    ("ERROR", {}),
    ("UNSET", {"http.response.status_code": 404}),
    ("ERROR", {"http.response.status_code": 500}),
    ("UNSET", {"rpc.grpc.status_code": 14}),
    ("UNSET", {"rpc.grpc.status_code": 5}),
    ("UNSET", {"http.response.status_code": "499"}),
    ("OK", {"http.status_code": 500}),
)


@dataclass(frozen=True)
class Service:
    """A service of a mesh. ``proxy`` is "", "hop" (bears its service's name) or "sidecar" (has a name of its own)."""

    id: str
    address: str
    instances: int = 1
    version: str = ""
    proxy: str = ""
    client: bool = True  # its client library is instrumented
    server: bool = True
    gateway: str = ""  # "single" or "double": a proxy with a name of its own
    sdk: str = ""

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]


@dataclass
class Mesh:
    services: list[Service]
    features: frozenset[str]
    zipkin: bool = False
    sent: list[tuple[str, str]] = field(
        default_factory=list
    )  # (trace, span) of messages, for links of later traces
    created: list[tuple[str, str]] = field(default_factory=list)  # those of them that are creations


def services(features: frozenset[str]) -> st.SearchStrategy[list[Service]]:
    def one(number: int) -> st.SearchStrategy[Service]:
        def only(feature: str, *values: T) -> st.SearchStrategy[T]:
            return st.sampled_from(values if feature in features else values[:1])

        return st.builds(
            Service,
            id=only("namespaces", "abcde"[number], "x/" + "abcde"[number], "y/a"),
            address=st.just(f"10.0.0.{number}"),
            instances=only("instances", 1, 2),
            version=only("versions", "", "1"),
            proxy=st.sampled_from(
                [
                    "",
                    *(["hop"] if "proxies" in features else []),
                    *(["sidecar"] if "sidecars" in features else []),
                ]
            ),
            client=only("uninstrumented", True, False),
            server=only("uninstrumented", True, True, False),
            gateway=only("gateways", "", "", "", "single", "double"),
            sdk=only("twins", "", "java", "go"),
        )

    return st.integers(1, 4).flatmap(lambda count: st.tuples(*(one(n) for n in range(count))).map(list))


@dataclass
class Builder:
    """One trace as it grows. ``draw`` chooses; a span more than LARGEST is not added any more."""

    draw: Draw  # type: ignore[type-arg]
    mesh: Mesh
    number: int
    tracestate: str = ""
    probability: dict[str, Value] = field(default_factory=dict)  # an attribute of all spans
    spans: list[Span] = field(default_factory=list)
    ids: int = 0

    def choose(self, feature: str, *values: T) -> T:
        """The first value, or any of them where the feature is wanted."""
        chosen: T = self.draw(st.sampled_from(values)) if feature in self.mesh.features else values[0]
        return chosen

    @property
    def full(self) -> bool:
        return len(self.spans) >= LARGEST

    def add(self, kind: str, service: str, parent: Span | None, at: int, **changes: object) -> Span:
        """Append a span that starts ``at`` ms after the trace; its length is drawn."""
        self.ids += 1
        links = changes.pop("links", ())
        attributes = changes.pop("attributes", {})
        span = Span(
            trace=trace_id(str(self.number)),
            id=span_id(str(self.ids)),
            parent=parent.id if parent else None,
            kind=kind,
            service=service,
            start_ns=START + at * MS,
            duration_ns=self.draw(st.sampled_from((1, 5, 10, 40, 0))) * MS,
            name=f"op-{self.ids}",
            tracestate=self.tracestate,
            zipkin=self.mesh.zipkin,
            links=links,  # type: ignore[arg-type]
            attributes={**attributes, **self.probability},  # type: ignore[dict-item]
        ).replace(**changes)
        self.spans.append(span)
        return span

    def resource(self, service: Service) -> dict[str, Value]:
        """Instance, version and telemetry source; Zipkin has only an address."""
        if self.mesh.zipkin:
            return {"host.ip": service.address} if self.choose("instances", "", "ip") else {}
        instance = self.choose("instances", "", *(f"{service.name}-{n}" for n in range(service.instances)))
        version, sdk = {"service.version": service.version}, {"telemetry.sdk.name": service.sdk}
        own: dict[str, Value] = {"service.instance.id": instance, **version, **sdk}
        own |= {"k8s.pod.ip": self.choose("callers", "", service.address)}
        return {key: value for key, value in own.items() if value}
