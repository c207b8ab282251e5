from __future__ import annotations

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import model
from store import telemetry as store
from tests.collector.notation import flattened

TABLES = {
    "span_rows": [*model.STORED.names, "collector"],
    "calls": [*model.CALLS.names, "records", "collector"],
}
"""Table → its columns: those of the model, and what the store alone knows of."""


@pytest.mark.parametrize(("name", "columns"), TABLES.items())
def test_tables_have_the_columns_of_the_model(telemetry: Engine, name: str, columns: list[str]) -> None:
    with telemetry.connect() as connection:
        found = connection.execute(sa.text(f"DESCRIBE TABLE {name}")).fetchall()
    assert [row[0] for row in found] == columns
    assert [column.name for column in store.metadata.tables[name].columns] == columns


def test_the_view_of_spans_has_what_can_be_read(telemetry: Engine) -> None:
    with telemetry.connect() as connection:
        found = connection.execute(sa.text("DESCRIBE TABLE spans")).fetchall()
    assert [row[0] for row in found] == [column.name for column in store.spans.columns]
    assert set(model.SPANS.names) <= {row[0] for row in found}


def test_rows_come_back_as_columns(telemetry: Engine) -> None:
    store.insert(telemetry, store.span_rows, flattened("1 C a; 2<1 S b").stored)
    query = sa.select(store.spans.c.service, store.spans.c.kind).order_by(store.spans.c.service)
    assert store.read(telemetry, query).to_pydict() == {"service": ["a", "b"], "kind": [3, 2]}


@pytest.mark.parametrize(
    "name", ["o'brien", 'a"b', "back\\slash", "ü€", "%(x)s", "100%", "%%", "new\nline", "{x}", ""]
)
def test_literals_are_quoted(telemetry: Engine, name: str) -> None:
    """Reading compiles values into the statement."""
    rows = flattened("1 C a; 2 S b").stored.to_pydict()
    rows["operation"] = [name, "other"]
    store.insert(telemetry, store.span_rows, pa.table(rows, schema=model.STORED))
    query = sa.select(store.spans.c.operation).where(store.spans.c.operation == name)
    assert store.read(telemetry, query)["operation"].to_pylist() == [name]


def test_nothing_to_read(telemetry: Engine) -> None:
    assert store.read(telemetry, sa.select(store.calls.c.source)).num_rows == 0


@pytest.mark.parametrize("length", [1 << 16, 1 << 19])
def test_a_query_may_be_long(telemetry: Engine, length: int) -> None:
    """Its text with signs of three bytes each; the store takes 256 KiB unless told otherwise."""
    text = "☃" * length
    found = store.read(telemetry, sa.select(sa.func.length(sa.literal(text)).label("bytes")))
    assert found.to_pydict() == {"bytes": [3 * length]}
