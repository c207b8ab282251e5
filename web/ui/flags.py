"""Envoy's response flags and our failure classes, in plain English."""

from __future__ import annotations

# https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags
RESPONSE_FLAGS: dict[str, str] = {
    "UO": "rejected by the circuit breaker: too many calls at once",
    "UH": "no healthy host to call",
    "UF": "could not connect to the host",
    "UT": "no answer in time (timeout of the rule)",
    "URX": "gave up after the last retry",
    "UC": "the host closed the connection during the call",
    "UR": "the host reset the call",
    "LR": "the proxy reset the connection",
    "NR": "no route for this request",
    "NC": "the route's cluster does not exist",
    "FI": "aborted on purpose by a fault rule",
    "DI": "delayed on purpose by a fault rule",
    "DC": "the caller hung up first",
    "DR": "the caller reset the call",
    "DT": "the call took longer than its longest allowed time",
    "RL": "refused by the rate limit",
    "UAEX": "refused by the access rule",
    "SI": "idle for too long",
    "IH": "a request header was invalid",
    "DPE": "the caller broke the protocol",
    "UPE": "the host broke the protocol",
    "UMSDR": "the call lasted longer than allowed",
    "OM": "the proxy was overloaded",
    "DF": "the name of the host could not be resolved",
    "LH": "the local health check failed",
    "DO": "dropped by the overload policy",
}

FAILURE_CLASSES: dict[str, str] = {
    "server_error": "Server error (5xx)",
    "client_error": "Client error (4xx)",
    "timeout": "Timeout",
    "no_response": "No response",
    "cancelled": "Cancelled by the caller (not counted as failed)",
}
