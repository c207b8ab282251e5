"""HTTPRoutes → policies.

Two things differ in meaning and are pointed out where it matters: there a rule stands for itself, here a
narrower route keeps what a wider one sets; there the longer path goes before headers, here headers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from proxy_plugin.envoy.matching import covers, overlap
from proxy_plugin.gateway_api.fields import get, items, mapping, number, only
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
from proxy_plugin.policy import TrafficPolicy, read_policy

_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")
_PIECE = re.compile(r"([0-9]+)(h|ms|m|s)")
_HEADERS = {"Exact": "exact", "RegularExpression": "regex"}


def read_routes(documents: Iterable[Mapping[str, Any]]) -> Translation[TrafficPolicy]:
    """One policy for each match of each rule. Those with a mirror still need a lease, as a plan will say."""
    found: Translation[TrafficPolicy] = Translation()
    for document in documents:
        name, one = "", Translation[TrafficPolicy]()
        try:
            name = str(get(document, "metadata", "name"))
            _read(document, name, one)
        except CannotSayError as error:
            one.note("error", error.where, str(error), "Change the route or leave it out.")
        found.items += one.items
        found.findings += [replace(each, message=f"{name}: {each.message}") for each in one.findings]
    return found


def _read(document: Mapping[str, Any], name: str, found: Translation[TrafficPolicy]) -> None:
    for draft in list(_drafts(document, name, found)):  # all of them are understood, or none is taken
        policy, wrong = read_policy(draft)
        found.items += [policy] if policy is not None else []
        found.findings += [replace(each, field=f"{draft['name']}.{each.field}") for each in wrong]
    _compare(found, found.items)


def _drafts(document: Mapping[str, Any], name: str, found: Translation[TrafficPolicy]) -> Iterator[Manifest]:
    if document.get("kind") != "HTTPRoute" or str(document.get("apiVersion", "")).partition("/")[0] != GROUP:
        raise CannotSayError("kind", f"It is no HTTPRoute of {GROUP}.")
    namespace = str(get(document, "metadata", "namespace") or "")
    spec = mapping(document.get("spec"), "spec")
    only(spec, "spec", "parentRefs", "rules")
    places = [
        (parent, rule, at, match)
        for parent in (_parent(each, namespace) for each in items(spec, "spec", "parentRefs"))
        for at, rule in enumerate(items(spec, "spec", "rules"))
        for match in items(rule, f"spec.rules[{at}]", "matches") or [{}]
    ]
    if not places:
        raise CannotSayError("spec", "It has no parent or no rule.")
    for count, (service, rule, at, match) in enumerate(places, 1):
        where = f"spec.rules[{at}]"
        only(rule, where, "name", "matches", "filters", "timeouts", "retry", "backendRefs")
        yield {
            "name": name if len(places) == 1 else f"{name}-{count}",
            "target": {
                "service": f"{namespace}/{service}" if namespace else service,
                "route": _read_match(match, f"{where}.matches"),
            },
            **_read_rule(rule, where, service, found),
        }


def _read_rule(
    rule: Mapping[str, Any], where: str, service: str, found: Translation[TrafficPolicy]
) -> Manifest:
    timeouts = mapping(rule.get("timeouts"), f"{where}.timeouts")
    only(timeouts, f"{where}.timeouts", "request", "backendRequest")
    whole, each = (
        _read_time(timeouts.get(name), f"{where}.timeouts.{name}") for name in ("request", "backendRequest")
    )
    draft: Manifest = {"timeout": whole} if whole else {}
    if rule.get("retry") is not None:
        draft["retry"] = _read_retry(mapping(rule["retry"], f"{where}.retry"), f"{where}.retry", found)
        draft["retry"] |= {"per_try_timeout": each} if each else {}
    elif each:  # there is only one attempt
        draft["timeout"] = each
    backends = [
        (_version(ref, service, f"{where}.backendRefs"), number(ref, f"{where}.backendRefs", "weight", 1))
        for ref in items(rule, where, "backendRefs")
    ]
    if not backends:
        raise CannotSayError(f"{where}.backendRefs", "Without backends every request is answered 500.")
    if any(version for version, _ in backends):
        draft["split"] = _shares(backends, f"{where}.backendRefs")
    for mirror in items(rule, where, "filters"):
        if mirror.get("type") != "RequestMirror" or "mirror" in draft:
            raise CannotSayError(f"{where}.filters", "Of filters there is one RequestMirror at most.")
        draft["mirror"] = _read_mirror(mapping(mirror.get("requestMirror"), where), where, service)
    return draft


def _read_match(match: Mapping[str, Any], where: str) -> Manifest:
    only(match, where, "path", "headers")
    path = mapping(match.get("path"), where)
    if path.get("type", "PathPrefix") != "PathPrefix":
        raise CannotSayError(f"{where}.path", "Only PathPrefix can be said here.")
    headers: Manifest = {}
    for each in items(match, where, "headers"):
        kind = _HEADERS.get(str(each.get("type", "Exact")))
        if kind is None:
            raise CannotSayError(f"{where}.headers", "A header is compared as Exact or RegularExpression.")
        headers.setdefault(str(each.get("name", "")).lower(), {kind: each.get("value")})
    return {"path_prefix": path.get("value", "/"), "headers": headers}


def _read_time(text: object, where: str) -> str:
    """As ours; empty for none. GEP-2257 sums up to four units."""
    if text is None:
        return ""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise CannotSayError(where, f"{text!r} is not a duration such as 1s500ms.")
    length = sum(int(count) * UNITS[unit] for count, unit in _PIECE.findall(text))
    if not length:
        raise CannotSayError(where, "0s means no limit, which cannot be said here.")
    return f"{length // 1000}s" if length % 1000 == 0 else f"{length}ms"


def _read_retry(retry: Mapping[str, Any], where: str, found: Translation[TrafficPolicy]) -> Manifest:
    only(retry, where, "codes", "attempts", "backoff")
    listed = retry.get("codes") or []
    if not isinstance(listed, list) or not all(type(code) is int and 400 <= code < 600 for code in listed):
        raise CannotSayError(f"{where}.codes", "It is not a list of statuses from 400 to 599.")
    codes = set(listed)
    conditions = [name for name in ("5xx", "gateway-error") if set(CODES[name]) <= codes][:1]
    if not conditions and any(500 <= code <= 599 for code in codes):
        conditions = ["gateway-error" if codes & set(CODES["gateway-error"]) == codes else "5xx"]
    conditions += ["retriable-4xx"] if 409 in codes else []
    meant = {code for name in conditions for code in CODES[name]}
    if any(code not in meant and code < 500 for code in codes):
        raise CannotSayError(f"{where}.codes", "Of statuses below 500 only 409 can be retried here.")
    if meant != codes:
        found.note(
            "warning", f"{where}.codes", f"Retried is on {', '.join(conditions)}.", "See if that does."
        )
    if "backoff" in retry:
        found.note("warning", f"{where}.backoff", "The pause is Envoy's own.", "Leave it out.")
    return {"attempts": retry.get("attempts", 1), "on": [*conditions, *CONNECTION]}


def _read_mirror(mirror: Mapping[str, Any], where: str, service: str) -> Manifest:
    version = _version(mapping(mirror.get("backendRef"), where), service, f"{where}.filters")
    if not version:
        raise CannotSayError(f"{where}.filters", "A mirror is into one version of the Service.")
    if part := mapping(mirror.get("fraction"), where):
        whole = max(number(part, f"{where}.filters", "denominator", 100), 1)
        share = 100 * number(part, f"{where}.filters", "numerator", 0) / whole
    else:
        share = number(mirror, f"{where}.filters", "percent", 100)
    return {"version": version, "percent": share}


def _shares(backends: Sequence[tuple[str, int]], where: str) -> list[Manifest]:
    """Weights as percents that add up to 100: rounded down, the rest to those that lost most."""
    total = sum(weight for _, weight in backends)
    if not total or not all(version for version, _ in backends):
        raise CannotSayError(where, "A split is between versions, with weights of which one is not 0.")
    exact = [100 * weight / total for _, weight in backends]
    order = sorted(range(len(exact)), key=lambda at: int(exact[at]) - exact[at])
    extra = set(order[: 100 - sum(map(int, exact))])
    return [
        {"version": version, "weight": int(exact[at]) + (at in extra)}
        for at, (version, _) in enumerate(backends)
    ]


def _compare(found: Translation[TrafficPolicy], policies: Sequence[TrafficPolicy]) -> None:
    """Where rules of one HTTPRoute would mean something else here."""
    for one, other in combinations(policies, 2):
        for wide, narrow in ((one, other), (other, one)):
            kept = [name for name in SHARED if getattr(wide, name) and not getattr(narrow, name)]
            if kept and covers(wide.target.route, narrow.target.route) and one.target != other.target:
                words = f"It keeps {', '.join(kept)} of {wide.name}; in an HTTPRoute it would not."
                found.note("warning", narrow.name, words, f"Set {', '.join(kept)} there as well.")
        if overlap(one.target.route, other.target.route):
            words = f"Requests that match {other.name} too get the parts of both; headers go before paths."
            found.note("warning", one.name, words, "Make the matches exclude each other.")


def _parent(ref: Mapping[str, Any], namespace: str) -> str:
    if ref.get("kind", "Gateway") != "Service" or ref.get("group", "") not in ("", "core"):
        raise CannotSayError("spec.parentRefs", "Only a Service can be the parent, not a Gateway.")
    if ref.get("namespace", namespace) != namespace:
        raise CannotSayError("spec.parentRefs", "The Service is of another namespace.")
    return str(ref.get("name", ""))


def _version(ref: Mapping[str, Any], service: str, where: str) -> str:
    """Of a backend; empty: the Service as a whole."""
    name = str(ref.get("name", ""))
    if ref.get("kind", "Service") != "Service" or not (name == service or name.startswith(f"{service}-")):
        raise CannotSayError(where, f"{name} is neither {service} nor a version of it, such as {service}-v2.")
    return name.removeprefix(service)[1:]
