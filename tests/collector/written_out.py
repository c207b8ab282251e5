"""Flattened spans with their joined texts taken apart: what the view of the store does in SQL, here in Python."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from collector import model
from collector.packing import ESCAPES, RECORD, UNIT
from collector.spans import Flattened

Pairs = list[tuple[str, str]]

_LABELS = pa.map_(pa.string(), pa.string())


def whole(flattened: Flattened) -> pa.Table:
    """``flattened.table``, and attributes, resource, events and the attributes of links as columns of their own."""
    rows = flattened.stored.to_pylist()
    events = [_records(row["event_texts"]) for row in rows]
    links = [_records(row["link_texts"]) for row in rows]
    columns = {
        "attributes": pa.array([attributes(row) for row in rows], _LABELS),
        "resource": pa.array(
            [_pairs(_units(row["reporter"])[len(model.REPORTER) :]) for row in rows], _LABELS
        ),
        "events.time": pa.array(
            [[int(e[0]) for e in each] for each in events], pa.list_(pa.timestamp("ns", "UTC"))
        ),
        "events.name": pa.array([[e[1] for e in each] for each in events], pa.list_(pa.string())),
        "events.attributes": pa.array([[_pairs(e[2:]) for e in each] for each in events], pa.list_(_LABELS)),
        "links.attributes": pa.array([[_pairs(e[2:]) for e in each] for each in links], pa.list_(_LABELS)),
    }
    table = flattened.table
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def attributes(row: dict[str, Any]) -> Pairs:
    """The attributes of one stored row, in the order sent."""
    keys = _units(row["attribute_keys"])[1:]
    return list(zip(keys, _units(row["attribute_values"]), strict=True)) if keys else []


def _records(text: str) -> list[list[str]]:
    return [_units(record) for record in text.split(RECORD)] if text else []


def _units(text: str) -> list[str]:
    return [_plain(unit) for unit in text.split(UNIT)]


def _plain(text: str) -> str:
    for character, written in reversed(ESCAPES.items()):
        text = text.replace(written, character)
    return text


def _pairs(units: list[str]) -> Pairs:
    return list(zip(units[::2], units[1::2], strict=True))
