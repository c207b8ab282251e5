from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.attributes import Attributes
from collector.consumer import Signal
from collector.receivers.otlp import decode


def read(*rows: list[tuple[str, AnyValue]]) -> Attributes:
    """Attributes of resources as the wire brings them."""
    message = pb.ExportTraceServiceRequest()
    for row in rows:
        attributes = message.resource_spans.add().resource.attributes
        attributes.extend(KeyValue(key=key, value=value) for key, value in row)
    return parse(message.SerializeToString())


def parse(body: bytes) -> Attributes:
    groups = decode(Signal.SPANS, body).records.column(0).flatten()
    return Attributes(groups.field("resource").field("attributes"))


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


NESTED = AnyValue(array_value=ArrayValue(values=[text("a"), AnyValue(int_value=2), AnyValue()]))
LISTED = AnyValue(
    kvlist_value=KeyValueList(
        values=[KeyValue(key="k", value=NESTED), KeyValue(key="b", value=AnyValue(bytes_value=b"\1"))]
    )
)
VALUES = [
    (text("ü"), "ü"),
    (text(""), ""),
    (AnyValue(), ""),
    (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
    (AnyValue(bool_value=False), "false"),
    (AnyValue(double_value=72.5), "72.5"),
    (AnyValue(double_value=200.0), "200"),
    (AnyValue(double_value=float("nan")), "nan"),
    (AnyValue(bytes_value=b"\x00\xff"), "00ff"),
    (NESTED, '["a", 2, null]'),
    (LISTED, '{"k": ["a", 2, null], "b": "01"}'),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[v[1] for v in VALUES])
def test_every_value_is_text(value: AnyValue, expected: str) -> None:
    assert read([("k", value)]).text("k").to_pylist() == [expected]


def test_values_of_all_types_side_by_side() -> None:
    rows = read(*[[("k", value)] for value, _ in VALUES])
    assert rows.text("k").to_pylist() == [expected for _, expected in VALUES]


@pytest.mark.parametrize(
    ("depth", "spoilt"), [(1, b"\xff\xfe\xff\xfe"), (150, b"ZZZZ")], ids=["UTF-8", "deep"]
)
def test_nested_values_that_cannot_be_read_are_hex(depth: int, spoilt: bytes) -> None:
    """Columns keep them undecoded, so nothing has looked at them before; one must not fail a whole commit."""
    message = pb.ExportTraceServiceRequest()
    attributes = message.resource_spans.add().resource.attributes
    inner = attributes.add(key="k").value
    for _ in range(depth):
        inner = inner.array_value.values.add()
    inner.string_value = "ZZZZ"
    attributes.add(key="other").value.string_value = "v"
    found = parse(message.SerializeToString().replace(b"ZZZZ", spoilt))
    assert bytes.fromhex(found.text("k").to_pylist()[0]).endswith(spoilt)
    assert found.text("other").to_pylist() == ["v"]


def test_the_first_key_that_a_row_has() -> None:
    rows = read([("new", text("1")), ("old", text("2"))], [("old", text("2"))], [("other", text("3"))], [])
    assert rows.text("new", "old").to_pylist() == ["1", "2", None, None]
    assert rows.text("nowhere").to_pylist() == [None] * 4


def test_of_a_repeated_key_the_last_value_counts_and_all_are_kept() -> None:
    rows = read([("k", text("1")), ("k", text("2"))])
    assert rows.text("k").to_pylist() == ["2"]
    assert joined(rows) == [("\x1fk\x1fk", "1\x1f2")]


def test_which_rows_have_a_key() -> None:
    rows = read([("istio.x", text(""))], [], [("istio", text("1"))])
    assert rows.has("istio.x").tolist() == [True, False, False]
    assert rows.has_prefix("istio.").tolist() == [True, False, False]
    assert not rows.has("nothing").any()


def joined(rows: Attributes) -> list[tuple[str, str]]:
    return list(zip(rows.keys().to_pylist(), rows.values().to_pylist(), strict=True))


def test_joined_texts_keep_the_order_and_the_rows() -> None:
    rows = read([("b", text("1")), ("a", AnyValue(int_value=2))], [], [("c", text(""))], [("", text(""))])
    assert joined(rows) == [("\x1fb\x1fa", "1\x1f2"), ("", ""), ("\x1fc", ""), ("\x1f", "")]
    assert rows.pairs().to_pylist() == ["\x1fb\x1f1\x1fa\x1f2", "", "\x1fc\x1f", "\x1f\x1f"]


def test_separators_are_escaped() -> None:
    rows = read([("k\x1f", text("\x1d\x1e")), ("U", text("\x1fU"))])
    assert joined(rows) == [("\x1fk\x1dU\x1fU", "\x1dE\x1dR\x1f\x1dUU")]
    assert rows.text("k\x1f").to_pylist() == ["\x1d\x1e"]


def test_keys_that_run_together_alike_are_other_keys() -> None:
    """A row's keys are compared as one slice of bytes."""
    rows = read(
        [("ab", text("1")), ("c", text("2"))], [("a", text("1")), ("bc", text("2"))], [("abc", text("3"))]
    )
    assert len(set(rows.shape.tolist())) == 3
    assert [rows.text(key).to_pylist() for key in ("ab", "a", "bc", "abc")] == [
        ["1", None, None],
        [None, "1", None],
        [None, "2", None],
        [None, None, "3"],
    ]


def test_nothing_at_all() -> None:
    assert joined(read()) == []
    assert read([]).text("k").to_pylist() == [None]
