"""Between the fields of the rule editor and a policy document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy_plugin.policy import Duration
from store.policies import StoredPolicy
from web.ui.panel.names import policy_name

DEFAULT_STATUS = 503
DEFAULT_LEASE = "15m"


@dataclass(frozen=True)
class Form:
    """The fields as a person sees them. None: left empty. `weight` is the per cent of the first version."""

    everyone: bool = False
    abort_percent: float | None = None
    abort_status: int | None = DEFAULT_STATUS
    delay_ms: float | None = None
    delay_percent: float | None = None
    timeout_ms: float | None = None
    split: bool = False
    weight: float = 50
    lease: str = DEFAULT_LEASE
    enabled: bool = True


def rule_for(policies: Iterable[StoredPolicy], source: str, target: str) -> StoredPolicy | None:
    """The rule that the editor of this edge opens: its own one, else one for all callers of the target."""
    own = policy_name(source, target)
    best: tuple[int, StoredPolicy] | None = None
    for policy in policies:
        aim = policy.document.get("target", {})
        callers = list(aim.get("from") or ())
        if aim.get("service") != target or (callers and callers != [source]):
            continue
        rank = 0 if policy.name == own else 1 if callers else 2
        if best is None or rank < best[0]:
            best = (rank, policy)
    return best[1] if best else None


def form_of(
    document: Mapping[str, Any] | None,
    versions: Sequence[str],
    shares: Iterable[Mapping[str, Any]] = (),
    *,
    on: bool = True,
) -> Form:
    """The fields that show this policy. Who edits a rule that is off wants it on: `enabled` starts as True.

    `shares`: the split in force, where the slider starts when the policy has none.
    `on`: whether the policy is. The faults of one that is off stay out of the fields: whoever comes to set a
    timeout must not switch an abort on again.
    """
    now = {part["version"]: part["weight"] for part in shares}
    weight = now.get(versions[0], 50) if versions else 50
    if document is None:
        return Form(weight=weight)
    fault = (document.get("fault") if on else None) or {}
    abort, delay = fault.get("abort") or {}, fault.get("delay") or {}
    weights = {part["version"]: part["weight"] for part in document.get("split") or ()}
    return Form(
        everyone=not document["target"].get("from"),
        abort_percent=abort.get("percent"),
        abort_status=abort.get("status", DEFAULT_STATUS),
        delay_ms=_milliseconds(delay.get("duration")),
        delay_percent=delay.get("percent"),
        timeout_ms=_milliseconds(document.get("timeout")),
        split=bool(weights),
        weight=weights.get(versions[0], 0) if versions and weights else weight,
        lease=document.get("lease") or DEFAULT_LEASE,
    )


def draft(
    source: str,
    target: str,
    versions: Sequence[str],
    form: Form,
    base: Mapping[str, Any] | None = None,
    taken: Collection[str] = (),
) -> dict[str, Any]:
    """The policy document of the fields; what the editor does not show is kept from `base`.

    `taken`: names of other policies, which a new one must not overwrite.
    """
    document: dict[str, Any] = dict(base or {})
    document.setdefault("name", policy_name(None if form.everyone else source, target, taken))
    aim = {
        "service": target,
        **{key: value for key, value in document.get("target", {}).items() if key == "route"},
    }
    document["target"] = aim if form.everyone else {**aim, "from": [source]}
    had_fault = "fault" in document
    _put(document, "timeout", _written(form.timeout_ms))
    _put(document, "split", _split(versions, form))
    _put(document, "fault", _fault(form))
    if "fault" in document:
        _put(document, "lease", form.lease or None)
    elif had_fault:
        document.pop("lease", None)
    document["enabled"] = form.enabled
    return document


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value


def _fault(form: Form) -> dict[str, Any] | None:
    fault: dict[str, Any] = {}
    if form.delay_ms and form.delay_percent:
        fault["delay"] = {"percent": _plain(form.delay_percent), "duration": _written(form.delay_ms)}
    if form.abort_percent:
        fault["abort"] = {
            "percent": _plain(form.abort_percent),
            "status": form.abort_status or DEFAULT_STATUS,
        }
    return fault or None


def _plain(value: float) -> float:
    """10.0 as 10: as a person would write it."""
    return int(value) if float(value).is_integer() else value


def _split(versions: Sequence[str], form: Form) -> list[dict[str, Any]] | None:
    if not form.split or len(versions) != 2:
        return None
    first = round(form.weight)
    return [{"version": versions[0], "weight": first}, {"version": versions[1], "weight": 100 - first}]


def _milliseconds(text: str | None) -> float | None:
    return None if text is None else round(Duration(text).seconds * 1000, 3)


def _written(milliseconds: float | None) -> str | None:
    """1500 → `1500ms`, 2000 → `2s`."""
    if not milliseconds:
        return None
    seconds = milliseconds / 1000
    return f"{seconds:.0f}s" if seconds.is_integer() else f"{milliseconds:g}ms"
