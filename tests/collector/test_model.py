from __future__ import annotations

from collector import linker, model
from collector.rollup import BINS_SCHEMA, SUMS_SCHEMA, Buckets
from tests.collector.notation import table


def test_spans_have_the_columns_of_the_model() -> None:
    assert table("1 C a; 2<1 S b").schema == model.SPANS


def test_calls_are_the_key_the_sums_and_two_histograms() -> None:
    assert model.CALLS.names == [*SUMS_SCHEMA, "client_histogram", "server_histogram"]
    assert set(BINS_SCHEMA) - set(SUMS_SCHEMA) == {"side", "bin", "n"}
    assert Buckets.empty().sums.columns == list(SUMS_SCHEMA)


def test_what_decides_calls_is_stored() -> None:
    """Else a restart could not derive them again."""
    renamed = {"trace": "trace_id", "span": "span_id", "parent": "parent_span_id"}
    assert {renamed.get(name, name) for name in linker.LINKED} <= set(model.SPANS.names)
