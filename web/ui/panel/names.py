"""How ids are shown, and how rules are named."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator

MAX_NAME = 60
"""Of a policy's 63 letters; the rest is for a number."""


def short(node: str) -> str:
    """`shop/checkout` → `checkout`; other ids as they are."""
    return node.rsplit("/", 1)[-1] if "(" not in node else node


def instance(node_id: str) -> str:
    """The instance in an Envoy node id `<role>~<address>~<instance>.<namespace>~mesh.local`."""
    parts = node_id.split("~")
    return parts[2].rsplit(".", 1)[0] if len(parts) == 4 else node_id


def policy_name(source: str | None, target: str, taken: Collection[str] = ()) -> str:
    """`<source>-to-<target>` in the letters of policy names; without source a rule for all callers.

    When the name is taken the namespaces are added, then a number.
    """
    return next(name for name in _names(source, target) if name not in taken)


def _names(source: str | None, target: str) -> Iterator[str]:
    yield _safe(f"{short(source) if source else 'all'}-to-{short(target)}")
    full = _safe(f"{source or 'all'}-to-{target}")
    yield full
    yield from (f"{full}-{number}" for number in itertools.count(2))


def _safe(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:MAX_NAME].strip("-")
