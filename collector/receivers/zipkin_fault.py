"""What is wrong with a list of Zipkin spans, in words: looked for only after it could not be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

_KINDS: Final = ("CLIENT", "SERVER", "PRODUCER", "CONSUMER")
_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{1,16}")


def fault(spans: Sequence[Any]) -> str | None:
    """``span 3: traceId "x" is wrong; send …``: the first thing that is wrong, None if nothing is."""
    for number, span in enumerate(spans):
        if not isinstance(span, dict):
            return f"span {number} is a JSON {type(span).__name__}; send an object"
        for field, wanted, right in _FIELDS:
            if not right(span.get(field)):
                return f"span {number}: {field} {_shown(span.get(field))} is wrong; send {wanted}"
    return None


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_id(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_endpoint(value: Any) -> bool:
    if not value:
        return value is None or isinstance(value, dict)
    texts = ("serviceName", "ipv4", "ipv6")
    return isinstance(value, dict) and all(not value.get(t) or isinstance(value[t], str) for t in texts)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_annotation(value: Any) -> bool:
    text = value.get("value") if isinstance(value, dict) else 0
    return (text is None or isinstance(text, str)) and _is_number(value.get("timestamp"))


_FIELDS: Final[tuple[tuple[str, str, Callable[[Any], bool]], ...]] = (
    ("traceId", "16 or 32 hexadecimal digits", lambda v: _is_id(_TRACE_ID, v)),
    ("id", "16 hexadecimal digits", lambda v: _is_id(_SPAN_ID, v)),
    ("parentId", "16 hexadecimal digits, or leave it out", lambda v: not v or _is_id(_SPAN_ID, v)),
    ("kind", f"one of {', '.join(_KINDS)}, or leave it out", lambda v: not v or v in _KINDS),
    ("name", "text", lambda v: v is None or isinstance(v, str)),
    ("timestamp", "microseconds since 1970 as a number", _is_number),
    ("duration", "microseconds as a number", _is_number),
    ("localEndpoint", 'an object like {"serviceName": "cart", "ipv4": "10.0.0.7"}', _is_endpoint),
    ("remoteEndpoint", 'an object like {"serviceName": "cart", "ipv4": "10.0.0.7"}', _is_endpoint),
    ("tags", "an object of texts", lambda v: v is None or isinstance(v, dict)),
    (
        "annotations",
        'a list of objects like {"timestamp": 1700000000000000, "value": "sent"}',
        lambda v: v is None or (isinstance(v, list) and all(map(_is_annotation, v))),
    ),
)
