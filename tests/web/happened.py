"""What happened: a line of time over a control database, and what is on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Engine

from collector.directory import Directory
from proxy_plugin.policy import TrafficPolicy
from store import policies
from store.engines import writes
from web.events import Events, Report
from web.policies.rule_changes import RuleChanges
from web.timeline import Timeline
from web.topology import Topology

EVER = timedelta(days=36500)


def timeline(
    control: Engine, telemetry: Engine | None = None, now: Callable[[], float] = time.time
) -> Timeline:
    """``telemetry``: where edges come from; None where none are asked for."""
    return Timeline(Events(control), RuleChanges(control), Topology(telemetry or control, Directory()), now)


def deployed(engine: Engine, at: float, service: str, version: str = "v2") -> str:
    """A deployment; its id."""
    report = Report.model_validate({"service": service, "version": version, "at": at})
    return Events(engine, kept=EVER).report(report, "token:ci")[0].name


def ruled(engine: Engine, at: float, name: str = "slow", outcome: str = "applied", **fields: Any) -> str:
    """A revision of a policy, as the publisher writes it; without fields it is removed. Its id as an event."""
    moment = datetime.fromtimestamp(at, UTC)
    aim = {"name": name, "target": {"service": "shop/payments"}}
    policy = TrafficPolicy.model_validate(aim | fields) if fields else None
    after = policy.document() if policy else None
    with writes(engine).begin() as session:
        number = policies.begin(session, name, after, actor="ann", reason="why", at=moment)
        policies.finish(session, name, number, outcome, {})
        if policy and outcome in policies.IN_FORCE:
            policies.put(session, policy, number, moment, None)
    return f"rule-{name}-{number}"
