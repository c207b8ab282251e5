"""R10: whether a span failed, was cancelled, and of which class the failure is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.reference.spans import CALLING, Span, as_text

SERVER_CODES = {2, 4, 12, 13, 14, 15}
GRPC = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


@dataclass(frozen=True)
class Answer:
    """What one end says of its call, whatever it was told by: span, access log or metric labels."""

    calling: bool
    http: int | None = None
    grpc: int | None = None
    flags: frozenset[str] = frozenset()
    status: str = "UNSET"
    error: str | None = None
    error_type: str = ""
    database: bool = False

    @property
    def no_code(self) -> bool:
        """Response code 0; with flags a code that was not sent is 0 too."""
        return self.grpc is None and bool(self.flags) and not self.http


@dataclass(frozen=True)
class Verdict:
    """``failed``, ``cancelled`` or neither; ``failure`` is the class of a failed one."""

    failed: bool = False
    cancelled: bool = False
    failure: str = ""


def verdict(span: Span) -> Verdict:
    return judge(answer(span))


def answer(span: Span) -> Answer:
    error = span.attributes.get("error")
    return Answer(
        calling=span.side == CALLING,
        http=span.number("http.response.status_code", "http.status_code"),
        grpc=grpc_code(span),
        flags=flags_of(span.text("response_flags", "envoy.response_flags")),
        status=span.status,
        error=None if error is None else as_text(error),
        error_type=span.text("error.type"),
        database=bool(span.text("db.system.name", "db.system")),
    )


def grpc_code(span: Span) -> int | None:
    names = ("rpc.grpc.status_code", "rpc.response.status_code", "grpc.status_code")
    text = span.text(*names).upper()
    return GRPC.index(text) if text in GRPC else span.number(*names)


def flags_of(text: str) -> frozenset[str]:
    return frozenset(flag for part in text.split(",") if (flag := part.strip()) not in ("", "-"))


def judge(said: Answer) -> Verdict:
    """R10: "first that applies: 1. OK → ok. 2. 499, gRPC 1, DC → `cancelled` … 3. failed if … 4. otherwise ok"."""
    if said.status == "OK":
        return Verdict()
    if said.http == 499 or said.grpc == 1 or "DC" in said.flags:
        return Verdict(cancelled=True)
    return Verdict(failed=True, failure=failure(said)) if failed(said) else Verdict()


def failed(said: Answer) -> bool:
    """R10.3. A gRPC code decides "whatever the HTTP code": the HTTP one is not asked then."""
    if said.status == "ERROR" or said.no_code:
        return True
    if said.error is not None and said.error != "false":
        return True
    if said.grpc is not None:
        return said.grpc != 0 if said.calling else said.grpc in SERVER_CODES
    return said.http is not None and said.http >= (400 if said.calling else 500)


def failure(said: Answer) -> str:
    """R10.5: timeout > no_response > server_error > client_error.

    Clarified: a status ERROR beside a code that is no error is the end's own: of a server `server_error`, of a client
    `client_error`.
    """
    if said.grpc == 4 or "UT" in said.flags or "timeout" in said.error_type.lower():
        return "timeout"
    silent = not said.http and said.grpc is None
    if said.no_code or (silent and said.http == 0) or (silent and said.calling and not said.database):
        return "no_response"
    if said.grpc is not None and said.grpc != 0:
        return "server_error" if said.grpc in SERVER_CODES else "client_error"
    if said.http is not None and said.http >= 400:
        return "server_error" if said.http >= 500 else "client_error"
    return "server_error" if not said.calling or said.database else "client_error"
