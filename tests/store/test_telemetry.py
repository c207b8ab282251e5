from __future__ import annotations

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import model
from store import telemetry as store
from tests.collector.notation import table


@pytest.mark.parametrize(("name", "schema"), [("spans", model.SPANS), ("calls", model.CALLS)])
def test_tables_have_the_columns_of_the_model(telemetry: Engine, name: str, schema: pa.Schema) -> None:
    with telemetry.connect() as connection:
        found = connection.execute(sa.text(f"DESCRIBE TABLE {name}")).fetchall()
    assert [row[0] for row in found] == schema.names
    assert [column.name for column in store.metadata.tables[name].columns] == schema.names


def test_rows_come_back_as_columns(telemetry: Engine) -> None:
    store.insert(telemetry, store.spans, table("1 C a; 2<1 S b"))
    query = sa.select(store.spans.c.service, store.spans.c.kind).order_by(store.spans.c.service)
    assert store.read(telemetry, query).to_pydict() == {"service": ["a", "b"], "kind": [3, 2]}


@pytest.mark.parametrize(
    "name", ["o'brien", 'a"b', "back\\slash", "ü€", "%(x)s", "100%", "%%", "new\nline", "{x}", ""]
)
def test_literals_are_quoted(telemetry: Engine, name: str) -> None:
    """Reading compiles values into the statement."""
    rows = table("1 C a; 2 S b").to_pydict()
    rows["operation"] = [name, "other"]
    store.insert(telemetry, store.spans, pa.table(rows, schema=model.SPANS))
    query = sa.select(store.spans.c.operation).where(store.spans.c.operation == name)
    assert store.read(telemetry, query)["operation"].to_pylist() == [name]


def test_nothing_to_read(telemetry: Engine) -> None:
    assert store.read(telemetry, sa.select(store.calls.c.source)).num_rows == 0
