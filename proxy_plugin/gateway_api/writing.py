"""Policies → HTTPRoutes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from proxy_plugin.gateway_api.translation import (
    CODES,
    CONNECTION,
    GROUP,
    SHARED,
    UNITS,
    CannotSayError,
    Manifest,
    Translation,
)
from proxy_plugin.policy import Duration, Retry, Route, TrafficPolicy


def write_routes(policies: Iterable[TrafficPolicy], port: int = 80) -> Translation[Manifest]:
    """One HTTPRoute for each enabled policy that can be said; `port`: of the Services."""
    found: Translation[Manifest] = Translation()
    for policy in policies:
        if not policy.enabled:
            found.note("info", policy.name, "It is disabled and left out.", "Enable it to export it.")
            continue
        try:
            found.items.append(_manifest(policy, port))
        except CannotSayError as error:
            found.note("error", f"{policy.name}.{error.where}", str(error), "Keep this policy here.")
            continue
        for name in _left_out(policy):
            found.note(
                "warning", f"{policy.name}.{name}", f"An HTTPRoute has no {name}.", "Keep that part here."
            )
    return found


def _left_out(policy: TrafficPolicy) -> list[str]:
    whole = policy.model_dump(exclude_none=True, exclude={"name", "target", "enabled", *SHARED})
    return [*whole, *(["retry.budget"] if policy.retry and policy.retry.budget else [])]


def _manifest(policy: TrafficPolicy, port: int) -> Manifest:
    if policy.target.callers:
        raise CannotSayError("target.from", "An HTTPRoute cannot be for some callers only.")
    if ":" in policy.target.service:
        raise CannotSayError("target.service", "An HTTPRoute is for a Service, not for the outside.")
    if all(getattr(policy, name) is None for name in SHARED):
        raise CannotSayError("", "Nothing of it can be said in an HTTPRoute.")
    namespace, _, service = policy.target.service.rpartition("/")

    def backend(version: str = "") -> Manifest:
        return {"name": f"{service}-{version}" if version else service, "port": port}

    split = policy.split or ()
    timeouts = {"request": policy.timeout, "backendRequest": policy.retry and policy.retry.per_try_timeout}
    rule: Manifest = {
        "matches": [_written_match(policy.target.route)],
        "timeouts": {name: _written_time(length) for name, length in timeouts.items() if length},
        "retry": _written_retry(policy.retry) if policy.retry else {},
        "filters": [_written_mirror(backend(policy.mirror.version), policy.mirror.percent)]
        if policy.mirror
        else [],
        "backendRefs": [{**backend(each.version), "weight": each.weight} for each in split] or [backend()],
    }
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": policy.name, **({"namespace": namespace} if namespace else {})},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": service, "port": port}],
            "rules": [{name: part for name, part in rule.items() if part}],
        },
    }


def _written_match(route: Route) -> Manifest:
    headers = []
    for name, match in route.headers.items():
        if match.exact == "":
            raise CannotSayError(f"target.route.headers.{name}", "An HTTPRoute cannot match an empty value.")
        if match.exact is not None:
            headers.append({"type": "Exact", "name": name, "value": match.exact})
        else:
            value = match.regex or re.escape(match.prefix or "") + ".*"
            headers.append({"type": "RegularExpression", "name": name, "value": value})
    path = {"path": {"type": "PathPrefix", "value": route.path_prefix}}
    return {**path, **({"headers": headers} if headers else {})}


def _written_time(length: Duration) -> str:
    left, text = round(length.seconds * 1000), ""
    for unit, size in UNITS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def _written_retry(retry: Retry) -> Manifest:
    """Failed connections are retried by every HTTPRoute with a retry; only statuses are named."""
    unknown = [each for each in retry.on if each not in (*CODES, *CONNECTION)]
    if unknown:
        raise CannotSayError("retry.on", f"An HTTPRoute has no words for {', '.join(unknown)}.")
    codes = sorted({code for each in retry.on for code in CODES.get(each, ())})
    return {"attempts": retry.attempts, **({"codes": codes} if codes else {})}


def _written_mirror(backend: Manifest, percent: float) -> Manifest:
    """Whole percents as such, others as a fraction of a million (0.0001 %)."""
    share: Manifest = (
        {"percent": int(percent)}
        if percent == int(percent)
        else {"fraction": {"numerator": round(percent * 10_000), "denominator": 1_000_000}}
    )
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, **share}}
