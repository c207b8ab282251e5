"""Events as the API writes them, and which deployments and rules concern which parts of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from collector.grouping import NO_NAMESPACE
from store.events import Event
from web.policies.rule_changes import RuleChange
from web.timeline import RULED, Each, Happening, Timeline, Wanted

Json = dict[str, Any]
Between = Callable[[int, int], Iterable[Each]]
"""All deployments and changed rules in ``[start, end)``, unix seconds; the newest first."""

_Key = tuple[bool, str]
"""Whether it is a namespace, and its name or a service's id."""

MARKERS: Final = frozenset(("deployment", RULED))
AT_ONCE: Final = 5_000
"""Read in one go; what concerns nothing that is compared is not kept."""
_FIELDS: Final = ("service", "version", "who", "link", "text", "actor", "edge", "last_seen", "rule")


def between(timeline: Timeline) -> Between:
    """Where markers come from."""

    def found(start: int, end: int) -> Iterator[Each]:
        cursor = None
        while True:
            page, cursor = timeline.page(Wanted(None, MARKERS, str(start), str(end), AT_ONCE, cursor))
            yield from page
            if cursor is None:
                return

    return found


def written(each: Each) -> Json:
    """As the API writes an event; what does not apply to its kind is null."""
    view: Json = {"id": "", "kind": each.kind, "at": _time(each.at)} | dict.fromkeys(_FIELDS)
    match each:
        case Event():
            names = ("service", "version", "who", "link", "text", "actor")
            return view | {"id": each.name} | {name: getattr(each, name) for name in names}
        case RuleChange():
            rule = {"policy": each.policy, "revision": each.revision, "what": each.what}
            view |= {"id": each.name, "service": each.service, "who": each.actor, "actor": each.actor}
            return view | {"text": each.reason, "rule": rule | {"callers": list(each.callers)}}
    edge = {"source": each.source, "target": each.target, "kind": each.edge_kind}
    return view | {"id": each.name, "edge": edge, "last_seen": each.last_seen and _time(each.last_seen)}


def with_markers(
    document: Json, events: Iterable[Each], ends: Iterable[Mapping[str, str]], group_by: str
) -> Json:
    """The comparison with ``markers``, and at each node and edge the ids of those that concern it.

    A deployment concerns the nodes that its service is, or is a part of, and all their edges; a rule the node and the
    edges of the calls that it steers. ``ends``: id, member and facet of every node that was compared.
    """
    keys = {row["id"]: _key(row, group_by) for row in ends}
    about: dict[_Key, list[Each]] = {}
    compared = {*keys.values()}
    known = [each for each in events if _keys(_service(each)) & compared]
    for each in known:
        for key in _keys(_service(each)):
            about.setdefault(key, []).append(each)

    def of_edge(source: _Key, target: _Key) -> list[str]:
        called, calling = about.get(target, ()), about.get(source, ()) if source != target else ()
        found = [each for each in called if not isinstance(each, RuleChange) or _steers(each, source)]
        found += [each for each in calling if isinstance(each, Event)]
        return [each.name for each in sorted(found, key=lambda each: each.at, reverse=True)]

    for part in ("added", "removed", "changed"):
        for node in document[part]["nodes"]:
            node["markers"] = [each.name for each in about.get(keys[node["id"]], ())]
        for edge in document[part]["edges"]:
            edge["markers"] = of_edge(keys[edge["source"]], keys[edge["target"]])
    return document | {"markers": [written(each) for each in known]}


def _steers(rule: RuleChange, source: _Key) -> bool:
    return not rule.callers or any(source in _keys(caller) for caller in rule.callers)


def _key(row: Mapping[str, str], group_by: str) -> _Key:
    """What services a node holds: those of a namespace, or one (of which it may be a part)."""
    inside = group_by == "namespace" and row["facet"]
    return (True, row["facet"]) if inside else (False, row["member"])


def _keys(service: str) -> set[_Key]:
    return {(True, service.rpartition("/")[0] or NO_NAMESPACE), (False, service)} if service else set()


def _service(each: Each) -> str:
    return "" if isinstance(each, Happening) else each.service or ""


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
