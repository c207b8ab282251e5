"""What a demo mesh is made of, as values: services, the steps that answer a route, externals, journeys.

Names: a target of a step is a full service id (`shop/catalog`) or an external (`psp.example:8443`).
Times are milliseconds here and become seconds where something sleeps.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST"]


@dataclass(frozen=True)
class Delay:
    """A log-normal time in ms, kept inside [low, high]."""

    median: float
    sigma: float = 0.3
    low: float = 0.0
    high: float = math.inf

    def sample(self, rng: random.Random) -> float:
        return min(max(rng.lognormvariate(math.log(self.median), self.sigma), self.low), self.high)


@dataclass(frozen=True)
class Work:
    """The service's own time; with `share` < 1 only that part of the requests spends it."""

    delay: Delay
    share: float = 1.0


@dataclass(frozen=True)
class Fail:
    """That share of the requests ends here with `status`."""

    share: float
    status: int = 500


@dataclass(frozen=True)
class Call:
    """An HTTP request through the own sidecar. An answer ≥ 500 fails the caller, unless `optional`."""

    target: str
    path: str
    method: Method = "GET"
    optional: bool = False


@dataclass(frozen=True)
class Database:
    """A database that is known from its callers' spans only."""

    system: str
    namespace: str
    address: str
    port: int


@dataclass(frozen=True)
class Query:
    database: Database
    operation: str
    collection: str = ""
    delay: Delay = Delay(2.0)


@dataclass(frozen=True)
class Publish:
    topic: str


@dataclass(frozen=True)
class Together:
    """Steps that run at the same time."""

    steps: tuple[Step, ...]


Step = Work | Fail | Call | Query | Publish | Together


@dataclass(frozen=True)
class Route:
    """Answers `method path`; a `{name}` segment of the path matches anything."""

    method: Method
    path: str
    steps: tuple[Step, ...]

    def matches(self, method: str, path: str) -> bool:
        """`path` may hold `{name}` itself: a step's target is checked against a route this way."""
        ours, theirs = self.path.split("/"), path.partition("?")[0].split("/")
        return (
            method == self.method
            and len(ours) == len(theirs)
            and all(a == b or a.startswith("{") for a, b in zip(ours, theirs, strict=True))
        )


@dataclass(frozen=True)
class Subscription:
    topic: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Version:
    name: str = "v1"
    instances: int = 1
    slowness: float = 1.0
    """Own time is multiplied by this."""


@dataclass(frozen=True)
class Service:
    name: str
    namespace: str
    routes: tuple[Route, ...]
    subscriptions: tuple[Subscription, ...] = ()
    versions: tuple[Version, ...] = (Version(),)
    sidecar: bool = True
    """Without one it is a member of the mesh by the library, `proxy_plugin.httpx`. Nobody calls it over HTTP then."""

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def steps(self) -> Iterator[Step]:
        """Every step of the service, those inside `Together` too."""
        for route in self.routes:
            yield from walk(route.steps)
        for subscription in self.subscriptions:
            yield from walk(subscription.steps)

    @property
    def targets(self) -> tuple[str, ...]:
        """Whom it calls over HTTP, sorted."""
        return tuple(sorted({step.target for step in self.steps if isinstance(step, Call)}))


@dataclass(frozen=True)
class External:
    """A plain HTTP server outside the mesh; `host:port` is the name that its callers use."""

    host: str
    port: int
    routes: tuple[Route, ...]

    @property
    def id(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Gateway:
    """The edge: Envoy without an app. Everything that comes in goes to `target`."""

    name: str
    namespace: str
    target: str

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Request:
    method: Method
    path: str


@dataclass(frozen=True)
class Journey:
    """What one user does, request after request; `weight` is relative to the other journeys."""

    name: str
    weight: float
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class World:
    gateway: Gateway
    services: tuple[Service, ...]
    externals: tuple[External, ...]
    journeys: tuple[Journey, ...]

    def service(self, service_id: str) -> Service:
        """Raises KeyError."""
        return {service.id: service for service in self.services}[service_id]

    def routes(self, target: str) -> tuple[Route, ...]:
        """The routes of a service or an external; raises KeyError."""
        owners: dict[str, tuple[Route, ...]] = {owner.id: owner.routes for owner in self.services}
        return (owners | {owner.id: owner.routes for owner in self.externals})[target]

    def subscribers(self, topic: str) -> tuple[str, ...]:
        return tuple(s.id for s in self.services if any(x.topic == topic for x in s.subscriptions))


def walk(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, Together):
            yield from walk(step.steps)
