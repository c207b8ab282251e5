"""OTLP/JSON to protobuf's canonical JSON: hexadecimal ids become base64."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


def canonical(body: bytes) -> dict[str, Any]:
    """The request as protobuf's JSON mapping has it: ids are written like all bytes.

    Raises:
        ValueError: the body is no JSON object, or an id is not hexadecimal.
        RecursionError: it is nested too deeply.
    """
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("a JSON object was expected")
    _translate(document)
    return document


def _translate(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _translate(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _IDS and isinstance(item, str):
                value[key] = _base64(key, item)
            else:
                _translate(item)


def _base64(key: str, text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except (ValueError, binascii.Error):
        raise ValueError(f"{key} {text[:40]!r} is not hexadecimal") from None
