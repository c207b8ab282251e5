from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

from store.audit import Entry
from web.policies.audit_export import csv_lines, json_lines


def entry(seq: int, actor: str) -> Entry:
    at = datetime(2030, 1, 1, 12, tzinfo=UTC)
    return Entry(seq, at, actor, "policy.apply", 'a,\n"b', "applied", {"revision": seq}, "0" * 64, "f" * 64)


def test_json() -> None:
    found = json.loads(b"".join(json_lines([entry(1, "ann"), entry(2, "bob")])))
    assert [(each["seq"], each["actor"], each["at"]) for each in found] == [
        (1, "ann", "2030-01-01T12:00:00Z"),
        (2, "bob", "2030-01-01T12:00:00Z"),
    ]
    assert found[0]["detail"] == {"revision": 1}
    assert json.loads(b"".join(json_lines([]))) == []


def test_csv() -> None:
    text = b"".join(csv_lines([entry(1, "=cmd()"), entry(2, "ann")])).decode()
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [each["actor"] for each in found] == ["'=cmd()", "ann"]
    assert found[0]["subject"] == 'a,\n"b'
    assert json.loads(found[0]["detail"]) == {"revision": 1}
