"""TrafficPolicy: what a person may ask of the mesh, as the API, the store and every policy target read it.

The model holds shape and ranges; whether a policy makes sense in the mesh that is there is for the target
to say (`envoy.checks`). Percentages are 0-100, durations are text such as ``250ms``, ``2s`` or ``15m``.

Over 300 lines because it is one schema, read from top to bottom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$"
_SHORTEST, _LONGEST, _LONGEST_WAIT = 0.001, 365 * 86400.0, 3600.0  # s; Envoy takes 0s for no limit at all
_TEXT = r"^[^\x00-\x1f\x7f-\x9f]*$"  # without control characters
_ID = r"[A-Za-z0-9][A-Za-z0-9._-]*"

Force = Literal["auto", "open", "closed"]
Severity = Literal["error", "warning", "info"]
RetryOn = Literal[
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "refused-stream",
    "retriable-4xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]


class Duration(str):
    """A length of time as it was written; `seconds` reads it. From 1 ms to 365 days."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        found = re.fullmatch(_DURATION, self)
        if found is None:
            raise ValueError(f"{str(self)!r} is not a duration such as 250ms, 2s or 15m")
        return float(found[1]) * _UNIT_SECONDS[found[2]]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls._read,
            core_schema.str_schema(pattern=_DURATION),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def _read(cls, text: str) -> Self:
        duration = cls(text)
        if not _SHORTEST <= duration.seconds <= _LONGEST:
            raise ValueError("a duration is at least 1ms and at most 365d")
        return duration


def _at_most_an_hour(duration: Duration) -> Duration:
    if duration.seconds > _LONGEST_WAIT:
        raise ValueError("at most 1h")
    return duration


ShortDuration = Annotated[Duration, AfterValidator(_at_most_an_hour)]

Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Version = Annotated[str, Field(pattern=rf"^{_ID}$", max_length=100)]
ServiceId = Annotated[
    str,
    Field(
        pattern=rf"^{_ID}(/{_ID}|:\d{{1,5}})?$",
        max_length=200,
        description="`namespace/service`, `service`, or `host:port` of something outside the mesh.",
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class HeaderMatch(_Part):
    """How the value of a request header is compared; exactly one of the three."""

    exact: str | None = Field(default=None, pattern=_TEXT, max_length=4096)
    prefix: str | None = Field(default=None, pattern=_TEXT, min_length=1, max_length=4096)
    regex: str | None = Field(
        default=None, pattern=_TEXT, min_length=1, max_length=4096, description="RE2, over the whole value."
    )

    @model_validator(mode="before")
    @classmethod
    def _text_is_exact(cls, value: object) -> object:
        return {"exact": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if len([rule for rule in (self.exact, self.prefix, self.regex) if rule is not None]) != 1:
            raise ValueError("give exactly one of exact, prefix, regex")
        return self


HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)]


class Route(_Part):
    """Which requests to the service are meant; all conditions must hold."""

    path_prefix: str = Field(
        default="/",
        pattern=r"^/[^\s?#\x00-\x1f\x7f-\x9f]*$",
        max_length=1000,
        description="`/pay` means `/pay` and `/pay/…`, not `/payments`.",
    )
    headers: dict[HeaderName, HeaderMatch] = Field(
        default={}, max_length=32, description="Header name → text (exact) or a match."
    )

    @property
    def everything(self) -> bool:
        return self.path_prefix == "/" and not self.headers


class Target(_Part):
    service: ServiceId
    route: Route = Route()
    callers: tuple[ServiceId, ...] = Field(
        default=(), alias="from", description="Only these callers; empty: all."
    )


class Weight(_Part):
    version: Version
    weight: Annotated[int, Field(ge=0, le=100, description="Percent of the requests.")]


class RetryBudget(_Part):
    """How many retries may run at a time, as a share of the calls that run; counted per proxy and target."""

    percent: Annotated[float, Field(gt=0, le=100, description="Of the requests that are under way.")] = 20
    min_concurrency: Annotated[int, Field(ge=0, le=10_000)] = 3


class Retry(_Part):
    attempts: Annotated[int, Field(ge=1, le=10, description="Further attempts after the first one.")]
    per_try_timeout: ShortDuration | None = None
    on: tuple[RetryOn, ...] = Field(
        default=("connect-failure", "refused-stream", "gateway-error"), min_length=1
    )
    budget: RetryBudget | None = None

    @model_validator(mode="before")
    @classmethod
    def _yaml_on(cls, value: object) -> object:
        """YAML 1.1 readers take the bare key `on` for true."""
        if isinstance(value, Mapping) and True in value:
            return {"on" if key is True else key: rule for key, rule in value.items()}
        return value


class CircuitBreaker(_Part):
    """Limits per calling proxy, target and version; what is left out keeps Envoy's default.

    `force: open` refuses every call as a tripped breaker does, `closed` lets no limit trip.
    """

    max_connections: Count | None = None
    max_pending_requests: Count | None = None
    max_requests: Count | None = None
    force: Force = "auto"

    @property
    def limits(self) -> dict[str, int]:
        """Limit → value, of those that were set."""
        return self.model_dump(exclude={"force"}, exclude_none=True)


class OutlierDetection(_Part):
    consecutive_5xx: Annotated[int, Field(ge=1, le=10000)] = 5
    consecutive_gateway_errors: Annotated[int, Field(ge=1, le=10000)] | None = None
    interval: ShortDuration = Duration("10s")
    base_ejection_time: ShortDuration = Duration("30s")
    max_ejection_percent: Annotated[int, Field(ge=0, le=100)] = 50


class Delay(_Part):
    percent: Percent
    duration: ShortDuration


class Abort(_Part):
    percent: Percent
    status: Annotated[int, Field(ge=200, le=599)]


class Fault(_Part):
    delay: Delay | None = None
    abort: Abort | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.delay is None and self.abort is None:
            raise ValueError("give a delay, an abort, or both")
        return self


class Mirror(_Part):
    version: Version
    percent: Percent


class RateLimit(_Part):
    """Requests that each instance of the target takes; more are answered 429."""

    requests: Annotated[int, Field(ge=1, le=2**32 - 1)]
    per: ShortDuration


class Access(_Part):
    """Who may call. With `allow` only those; who is in `deny` may not in any case."""

    allow: tuple[ServiceId, ...] = ()
    deny: tuple[ServiceId, ...] = ()


class HashOn(_Part):
    """What of a request decides; exactly one. A request that lacks it goes to any instance."""

    header: HeaderName | None = None
    cookie: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)] | None = None
    query: Annotated[str, Field(pattern=r"^[^\s&=#\x00-\x1f\x7f-\x9f]+$", max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if len([name for name in (self.header, self.cookie, self.query) if name is not None]) != 1:
            raise ValueError("give exactly one of header, cookie, query")
        return self


class LoadBalancer(_Part):
    """How an instance is chosen. `ring_hash` and `maglev` send what is alike in `hash_on` to one instance."""

    algorithm: Literal["round_robin", "least_request", "random", "ring_hash", "maglev"]
    hash_on: HashOn | None = Field(
        default=None, description="For ring_hash and maglev; left out: the path with its query."
    )

    @property
    def hashes(self) -> bool:
        return self.algorithm in ("ring_hash", "maglev")

    @model_validator(mode="after")
    def _hash_on_needs_a_hash(self) -> Self:
        if self.hash_on is not None and not self.hashes:
            raise ValueError("hash_on is for ring_hash and maglev")
        return self


class Guard(_Part):
    """Takes the policy back when `metric` is worse than before by `worse_by` for the time `over`."""

    metric: Literal["error_rate", "p50", "p95", "p99"]
    worse_by: Annotated[float, Field(gt=0)]
    over: ShortDuration = Field(alias="for")
    min_calls: Count = 50


class Step(_Part):
    weight: Annotated[int, Field(ge=0, le=100, description="Percent of the requests.")]
    hold: Duration = Field(default=Duration("5m"), description="So long until the next step.")


class Steps(_Part):
    """`split` as a schedule: `version` takes the weights one after the other, the others share the rest."""

    version: Version
    schedule: tuple[Step, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        weights = [step.weight for step in self.schedule]
        if any(after <= before for before, after in pairwise(weights)):
            raise ValueError("each weight is greater than the one before")
        return self


class TrafficPolicy(_Part):
    """One named rule for the calls to one service. What is left out is left as it is."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)]
    target: Target
    split: tuple[Weight, ...] | None = Field(default=None, min_length=1)
    timeout: ShortDuration | None = None
    retry: Retry | None = None
    circuit_breaker: CircuitBreaker | None = None
    outlier_detection: OutlierDetection | None = None
    fault: Fault | None = None
    mirror: Mirror | None = None
    rate_limit: RateLimit | None = None
    access: Access | None = None
    load_balancer: LoadBalancer | None = None
    mtls: Literal["off", "permissive", "strict"] | None = None
    lease: Duration | None = Field(
        default=None, description="The policy is disabled by itself after this time."
    )
    guard: Guard | None = None
    steps: Steps | None = None
    enabled: Annotated[bool, Field(strict=True)] = True

    def document(self) -> dict[str, Any]:
        """As a person would write it: only what was set, durations as given, JSON types."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def applies_to(self, source: str, target: str) -> bool:
        """Whether it is in force for calls from `source` to `target` (service ids)."""
        callers = self.target.callers
        return self.enabled and self.target.service == target and (not callers or source in callers)


RULES = (
    "split",
    "timeout",
    "retry",
    "circuit_breaker",
    "outlier_detection",
    "fault",
    "mirror",
    "rate_limit",
    "access",
    "load_balancer",
    "mtls",
)
"""The fields that change traffic; the others say where, how long and whether."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about a draft; `field` is a path such as `split[0].version` ("" = the whole)."""

    severity: Severity
    field: str
    message: str
    fix: str


def read_policy(draft: Mapping[str, Any]) -> tuple[TrafficPolicy | None, list[Finding]]:
    """The policy, or None and one error finding for each thing that is wrong in shape or range."""
    try:
        return TrafficPolicy.model_validate(draft), []
    except ValidationError as error:
        wrong = [(_path(found["loc"]), found) for found in error.errors(include_url=False)]
        # A list whose items are wrong is also called too short: those items are left out of the count.
        return None, [
            Finding("error", path, _sentence(found["msg"]), _fix(found["type"]))
            for path, found in wrong
            if found["type"] != "too_short" or not any(other.startswith(f"{path}[") for other, _ in wrong)
        ]


def _path(loc: tuple[int | str, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc if step != "[key]")
    return "".join(steps).lstrip(".")


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    if text.startswith("String should match pattern '" + _DURATION):
        text = "not a duration"
    if text.startswith("String should match pattern '" + _TEXT):
        text = "control characters are not allowed"
    return text[:1].upper() + text[1:]


def _fix(kind: str) -> str:
    match kind:
        case "extra_forbidden":
            return "Remove the field or correct its name."
        case "missing":
            return "Add the field."
        case "string_pattern_mismatch":
            return "Write it in the form that the documentation shows; durations are like 250ms, 2s, 15m."
        case _:
            return "Give a value of the right kind and within the range."
