"""Policies by chance: everything that the schema allows, for the services of `values.mesh`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from proxy_plugin.policy import TrafficPolicy

VERSIONS = st.sampled_from(["v1", "v2", "v9"])
CALLERS = st.sampled_from(["shop/checkout", "shop/front", "shop/no.body"])
TIMES = st.sampled_from(["50ms", "80ms", "1.5s", "3m", "1h"])
PERCENTS = st.floats(0, 100, allow_nan=False)
COUNTS = st.integers(0, 2**31 - 1)
NAMES = st.sampled_from(["x-user", "x-beta", ":path"[1:], "!#$%&'*+.^_`|~-"])
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys."""
    return st.fixed_dictionaries({}, optional=parts)


def lists(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=3, unique=True)


def one_of(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Exactly one of these keys."""
    return st.one_of(*(st.fixed_dictionaries({key: value}) for key, value in parts.items()))


ROUTES = some(
    path_prefix=st.sampled_from(["/", "/pay", "/pay/", "/pay/a%20b", "/é"]),
    headers=st.dictionaries(
        NAMES,
        st.one_of(TEXTS, one_of(exact=TEXTS, prefix=TEXTS, regex=st.sampled_from(["a+b", "[a-z]*", "x|y"]))),
        max_size=2,
    ),
)
SPLITS = st.integers(0, 100).map(
    lambda share: [{"version": "v1", "weight": share}, {"version": "v2", "weight": 100 - share}]
)
RETRIES = st.fixed_dictionaries(
    {"attempts": st.integers(1, 10)},
    optional={
        "per_try_timeout": TIMES,
        "on": st.lists(st.sampled_from(["5xx", "reset", "unavailable"]), min_size=1, max_size=3),
        "budget": some(
            percent=st.floats(0, 100, exclude_min=True, allow_nan=False),
            min_concurrency=st.integers(0, 10_000),
        ),
    },
)
BREAKERS = some(
    max_connections=COUNTS,
    max_pending_requests=COUNTS,
    max_requests=COUNTS,
    force=st.sampled_from(["auto", "open", "closed"]),
)
OUTLIERS = some(
    consecutive_5xx=st.integers(1, 10_000),
    consecutive_gateway_errors=st.integers(1, 10_000),
    interval=TIMES,
    base_ejection_time=TIMES,
    max_ejection_percent=st.integers(0, 100),
)
DELAYS = st.fixed_dictionaries({"percent": PERCENTS, "duration": TIMES})
ABORTS = st.fixed_dictionaries({"percent": PERCENTS, "status": st.integers(200, 599)})
FAULTS = st.one_of(
    st.fixed_dictionaries({"delay": DELAYS}),
    st.fixed_dictionaries({"abort": ABORTS}),
    st.fixed_dictionaries({"delay": DELAYS, "abort": ABORTS}),
)
BALANCERS = st.one_of(
    st.fixed_dictionaries({"algorithm": st.sampled_from(["round_robin", "least_request", "random"])}),
    st.fixed_dictionaries(
        {"algorithm": st.sampled_from(["ring_hash", "maglev"])},
        optional={"hash_on": one_of(header=NAMES, cookie=NAMES, query=st.sampled_from(["user", "é[1]"]))},
    ),
)


@st.composite
def policies(draw: st.DrawFn, most: int = 4) -> tuple[TrafficPolicy, ...]:
    """Some for payments or the outside, whether a plan would take them together or not."""
    return tuple(draw(policy(f"rule-{number}")) for number in range(draw(st.integers(1, most))))


def policy(name: str) -> st.SearchStrategy[TrafficPolicy]:
    target = st.fixed_dictionaries(
        {"service": st.sampled_from(["shop/payments", "shop/payments", "psp.example:8443"])},
        optional={"route": ROUTES, "from": lists(CALLERS)},
    )
    return st.fixed_dictionaries(
        {"name": st.just(name), "target": target},
        optional={
            "split": SPLITS,
            "timeout": TIMES,
            "retry": RETRIES,
            "circuit_breaker": BREAKERS,
            "outlier_detection": OUTLIERS,
            "fault": FAULTS,
            "mirror": st.fixed_dictionaries({"version": VERSIONS, "percent": PERCENTS}),
            "rate_limit": st.fixed_dictionaries({"requests": st.integers(1, 2**32 - 1), "per": TIMES}),
            "access": some(allow=lists(CALLERS), deny=lists(CALLERS)),
            "load_balancer": BALANCERS,
            "mtls": st.sampled_from(["off", "permissive", "strict"]),
        },
    ).map(TrafficPolicy.model_validate)
