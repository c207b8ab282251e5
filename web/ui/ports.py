"""What the console needs from the rest: the shapes of `web.parts.Parts`, so that pages import no wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class TypeStatus(Protocol):
    """One resource type (CDS, RDS, …) at one proxy."""

    @property
    def state(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...


class ProxyStatus(Protocol):
    """One connected, or lately connected, Envoy."""

    @property
    def node_id(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def connected(self) -> bool: ...
    @property
    def types(self) -> Mapping[str, TypeStatus]: ...


class Control(Protocol):
    """The control plane, read only."""

    def proxies(self) -> Sequence[ProxyStatus]: ...


class Finding(Protocol):
    @property
    def severity(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def fix(self) -> str: ...


class Plan(Protocol):
    """What a draft would change; nothing has happened yet."""

    @property
    def valid(self) -> bool: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def diff(self) -> str: ...
    @property
    def resources(self) -> Mapping[str, str]: ...
    @property
    def blast_radius(self) -> Mapping[str, Any]: ...


class ProxyOutcome(Protocol):
    @property
    def node_id(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def message(self) -> str: ...


class Applied(Protocol):
    """What became of a push."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def outcome(self) -> str: ...
    @property
    def proxies(self) -> Mapping[str, Sequence[ProxyOutcome]]: ...


class Publisher(Protocol):
    """The one write path of policy."""

    async def plan(self, draft: Mapping[str, object]) -> Plan: ...
    async def apply(
        self,
        draft: Mapping[str, object],
        *,
        actor: str,
        reason: str = "",
        if_match: int | None = None,
        wait: float = 5.0,
    ) -> Applied: ...
    async def toggle(
        self, name: str, enabled: bool, *, actor: str, if_match: int | None = None, wait: float = 5.0
    ) -> Applied: ...


class Layouts(Protocol):
    """Where stored positions live: one set of `{node id: (x, y)}` per view."""

    async def load(self, view: str) -> Mapping[str, tuple[float, float]]: ...
    async def save(self, view: str, positions: Mapping[str, tuple[float, float]]) -> None: ...


class Parts(Protocol):
    """The wired parts that pages may use."""

    @property
    def publisher(self) -> Publisher: ...
    @property
    def control(self) -> Control: ...
    @property
    def layouts(self) -> Layouts: ...
    @property
    def live(self) -> Any: ...
