from __future__ import annotations

from collector import model
from collector.coded import LINKED
from collector.rollup import BINS_SCHEMA, SUMS_SCHEMA, Buckets
from tests.collector.notation import flattened, table


def test_spans_have_the_columns_of_the_model() -> None:
    assert table("1 C a; 2<1 S b").schema == model.SPANS


def test_calls_are_the_key_the_sums_and_two_histograms() -> None:
    assert model.CALLS.names == [*SUMS_SCHEMA, "client_histogram", "server_histogram"]
    assert set(BINS_SCHEMA) - set(SUMS_SCHEMA) == {"side", "bin", "n"}
    assert Buckets.empty().sums.columns == list(SUMS_SCHEMA)


def test_what_decides_calls_is_stored() -> None:
    """Else a restart could not derive them again."""
    renamed = {"trace": "trace_id", "span": "span_id", "parent": "parent_span_id"}
    kept = {*model.STORED.names, *model.READING, *model.REPORTER}
    assert {renamed.get(name, name) for name in LINKED} <= kept & set(model.SPANS.names)


def test_the_readings_are_what_decides_calls_besides_ids_and_times() -> None:
    found = flattened("1 C a; 2<1 S b; 3<1 S b")
    assert found.stored.schema == model.STORED
    timed = {"trace", "span", "parent", "start", "duration"}
    assert set(LINKED) - timed <= set(found.readings.columns)
    assert found.readings[found.reading]["service"].to_list() == ["a", "b", "b"]
    assert found.readings.height == found.readings.n_unique() == 3
