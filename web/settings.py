"""Settings: environment variables ``MESHSCOPE_*``, then ``meshscope.toml``, then these defaults."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from store.collectors import NAME
from web.health import HealthRules, Override, Share, Thresholds
from web.sources import PREFIX, SettingsFile

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    """``250ms``, ``2s``, ``15m``, ``12h``, ``3d`` as a time span."""
    if not isinstance(value, str):
        return value
    for unit, seconds in _UNITS.items():
        number = value.removesuffix(unit)
        if number != value and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number):
            return timedelta(seconds=float(number) * seconds)
    raise ValueError(f"{value!r} is not a duration such as 250ms, 2s, 15m, 12h or 3d")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Every setting; the README lists them all (a test compares)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file="meshscope.toml", extra="forbid", populate_by_name=True
    )

    data: Path = Field(default=Path("data"), description="Folder of the embedded stores.")
    host: str = Field(default="127.0.0.1", description="Address that every server listens on.")
    http_port: Port = Field(
        default=8080, description="API, console, `/metrics`, `/healthz`, `/readyz`. 0 = any free port."
    )
    otlp_grpc_port: Port = Field(default=4317, description="OTLP over gRPC.")
    otlp_http_port: Port = Field(default=4318, description="OTLP over HTTP.")
    xds_port: Port = Field(default=18000, description="ADS, where the proxies fetch their configuration.")
    telemetry_url: SecretStr | None = Field(
        default=None,
        description="`clickhousedb://user:password@host:8123/db`; default: embedded chDB in `DATA`.",
    )
    control_url: SecretStr | None = Field(
        default=None, description="`postgresql+psycopg://…`; default: SQLite in `DATA`."
    )
    collector_id: Annotated[str, Field(pattern=f"^{NAME}$")] | None = Field(
        default=None,
        description="Name of this collector among several on one ClickHouse, the same after a restart;"
        " default: a random one, kept in `DATA`.",
    )
    auth: Literal["on", "off"] = Field(
        default="on", description="`off` only while `HOST` is a loopback address."
    )
    retention_spans: Duration = Field(default=timedelta(days=3), description="How long spans are kept.")
    retention_calls: Duration = Field(
        default=timedelta(days=30),
        description="How long call analytics are exact to 10 s; to the second as long as spans are kept.",
    )
    retention_calls_minutes: Duration = Field(
        default=timedelta(days=90), description="How long they are kept by the minute."
    )
    retention_calls_hours: Duration = Field(
        default=timedelta(days=365), description="How long they are kept by the hour."
    )
    retention_events: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=36500))] = Field(
        default=timedelta(days=365), description="How long reported deployments and notes are kept."
    )
    vanished_after: Annotated[Duration, Field(ge=timedelta(hours=1))] = Field(
        default=timedelta(hours=1),
        description="An edge without a call for so long has vanished, at least `1h`.",
    )
    queue_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default=64 << 20,
        description="Telemetry that may wait to be stored; more is refused and asked for again.",
    )
    max_request_bytes: Annotated[int, Field(ge=1 << 16)] = Field(
        default=16 << 20, description="Largest OTLP request, uncompressed."
    )
    max_expanded_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default=64 << 20,
        description="Largest request in memory, where every record has its resource; more is refused.",
    )
    max_value_bytes: Annotated[int, Field(ge=64)] = Field(
        default=16 << 10, description="Of an attribute's value; longer ones are cut."
    )
    max_name_bytes: Annotated[int, Field(ge=64)] = Field(
        default=1 << 10,
        description="Of a service, version, instance, scope or operation; longer ones are cut.",
    )
    max_attributes: Annotated[int, Field(ge=8)] = Field(
        default=256, description="Attributes kept of a span, record or resource."
    )
    max_events: Annotated[int, Field(ge=0)] = Field(default=128, description="Events kept of a span.")
    max_links: Annotated[int, Field(ge=0)] = Field(default=128, description="Links kept of a span.")
    max_operations: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Of a service that are counted apart; the others together, as `(other)`."
    )
    probability_attribute: Annotated[str, Field(max_length=256)] = Field(
        default="",
        description="Attribute of a span with the probability that it was kept with; it counts as 1 / that."
        " An entry `ot` in tracestate goes before it. Default: none.",
    )
    health_min_calls: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="Calls in a window below which no health is judged."
    )
    health_degraded: Share = Field(default=0.01, description="Failed share from which on one is degraded.")
    health_failing: Share = Field(default=0.05, description="Failed share from which on one is failing.")
    health_discrepancy: Share = Field(
        default=0.05, description="Share of calls by which the two sides of an edge may differ."
    )
    health_services: dict[Annotated[str, Field(max_length=512)], Override] = Field(
        default_factory=dict,
        description="What is different for one service (`shop/payments`) or namespace (`shop/*`).",
    )
    max_instances: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Of a service that are counted apart; the others together, as `(other)`."
    )
    self_tracing: Annotated[str, Field(pattern=r"^(off|on|https?://[^\s/]+.*)$")] = Field(
        default="off",
        description="Spans of our own work: `off`, `on` (to ourselves), or the address of an OTLP/HTTP receiver.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged to stderr."
    )
    log_format: Literal["console", "json"] = Field(default="console", description="How it is logged.")

    @model_validator(mode="after")
    def _authenticated_unless_local(self) -> Settings:
        if self.auth == "off" and not _is_loopback(self.host):
            raise ValueError(
                f"MESHSCOPE_AUTH=off is refused on {self.host}: set HOST to 127.0.0.1 or AUTH to on"
            )
        return self

    @property
    def health(self) -> HealthRules:
        """The thresholds of each service."""
        names = ("min_calls", "degraded", "failing", "discrepancy")
        default = Thresholds.model_validate({name: getattr(self, f"health_{name}") for name in names})
        return HealthRules(default, self.health_services)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file. Raises SettingsFileError."""
        return init_settings, env_settings, SettingsFile(settings_cls)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
