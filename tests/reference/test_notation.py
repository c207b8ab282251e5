"""The notation: old texts stay valid, and every case survives the way to the wire's forms and back."""

from __future__ import annotations

import pytest

from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.linker import calls
from tests.reference.notation import parse, to_otlp, to_zipkin, write
from tests.reference.weights import configured


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_written_and_read_again(case: Case) -> None:
    spans = case.spans()
    again = configured(parse(write(spans), case.zipkin), case.probability)
    assert calls(again) == calls(spans)


def test_otlp_says_all_of_it() -> None:
    (span,) = parse("t2 2<1 C shop/a [k:=5, e=] {x=y} -5 +7 ! @i ot=th:8 scope=s ->t1/9")
    (group,) = to_otlp([span]).resource_spans
    (sent,) = group.scope_spans[0].spans
    resource = {a.key: a.value.string_value for a in group.resource.attributes}
    assert resource == {
        "service.name": "a",
        "service.namespace": "shop",
        "service.instance.id": "i",
        "x": "y",
    }
    assert [(a.key, a.value.WhichOneof("value")) for a in sent.attributes] == [
        ("k", "int_value"),
        ("e", "string_value"),
    ]
    assert (sent.kind, sent.status.code, sent.trace_state) == (3, 2, "ot=th:8")
    assert sent.start_time_unix_nano - sent.end_time_unix_nano == 5_000_000
    assert (sent.links[0].trace_id[-1], sent.links[0].span_id[-1], group.scope_spans[0].scope.name) == (
        1,
        9,
        "s",
    )


def test_zipkin_says_all_of_it() -> None:
    shared, unnamed = to_zipkin(parse("1 S b sh r=a@10.0.0.1 @10.0.0.2 7; 2 U -", zipkin=True))
    assert (shared["shared"], shared["kind"], shared["duration"]) == (True, "SERVER", 7000)
    assert shared["localEndpoint"] == {"serviceName": "b", "ipv4": "10.0.0.2"}
    assert shared["remoteEndpoint"] == {"serviceName": "a", "ipv4": "10.0.0.1"}
    assert "localEndpoint" not in unnamed
    assert "kind" not in unnamed


def test_what_is_no_span_is_refused() -> None:
    with pytest.raises(ValueError, match="not a span"):
        parse("1 X a")
