"""Where the instances of a world run: the file that the mesh writes and the apps' process reads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TOKEN = "DEMO_LIBRARY_TOKEN"  # noqa: S105 - the name of a variable


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dial(Frozen):
    """How an app reaches a target: a loopback port and the Host header to send there."""

    port: int
    host: str


class Place(Frozen):
    """One instance of a service, or an external (which calls nobody)."""

    owner: str
    version: str = "v1"
    instance: str
    port: int
    dial: dict[str, Dial] = {}
    library: bool = False
    """Without a sidecar: the port of a target is its own."""


class Placement(Frozen):
    """What one process runs. Without `otlp_http` the apps export no spans; without `control` there are no policies
    for a library."""

    seed: int
    otlp_http: str = ""
    control: str = ""
    """URL of the console; its API token is in the environment (`TOKEN`), not in a file."""
    places: tuple[Place, ...]
