"""OTLP messages as Arrow columns: protobuf and JSON bodies to one decoded batch.

The message types are those of ``opentelemetry-proto`` with two changes that the wire does not notice: values that
could nest in themselves (arrays, key-value lists) stay bytes, because columns cannot recurse, and fields that we
do not keep are left out, because an unknown field costs nothing to skip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

import ptars
import pyarrow as pa
from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.consumer import Accepted, Batch, Codec, Encoded, Rejected, Request, Signal
from collector.receivers.pieces import PIECE, pieces

REQUESTS: dict[Signal, Any] = {
    Signal.SPANS: trace_service_pb2.ExportTraceServiceRequest,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest,
    Signal.POINTS: metrics_service_pb2.ExportMetricsServiceRequest,
}
RESPONSES: dict[Signal, Any] = {
    Signal.SPANS: trace_service_pb2.ExportTraceServiceResponse,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceResponse,
    Signal.POINTS: metrics_service_pb2.ExportMetricsServiceResponse,
}

MAX_JSON_BYTES: Final = 4 << 20
"""JSON is read into objects, a hundred times slower than protobuf: large senders have protobuf."""
_MAX_JSON_OBJECTS: Final = 1 << 18  # sixteen bytes each: telemetry has less, {{},{},… has more
ALONE: Final = 512 << 10
"""Bytes in protobuf that gain nothing from being decoded with others."""
_MAX_GROWTH: Final = 8  # Arrow bytes by bytes on the wire; telemetry has 2 to 5, empty messages 40

_RECURSIVE = frozenset({"ArrayValue", "KeyValueList"})
# "Message.field", or a field name where every message that has it goes without.
_UNUSED = frozenset(
    {
        "schema_url",
        "key_strindex",
        "string_value_strindex",
        "dropped_attributes_count",
        "dropped_events_count",
        "dropped_links_count",
        "entity_refs",
        "exemplars",
        "observed_time_unix_nano",
        "Link.trace_state",
        "Link.flags",
        "Metric.metadata",
        "Metric.description",
        "Metric.unit",
        "ExponentialHistogramDataPoint.negative",
        "ExponentialHistogramDataPoint.zero_threshold",
        "Metric.summary",
    }
)


def request(signal: Signal, body: bytes) -> Request:
    """One export request in protobuf: as it is, to be decoded with others, or decoded already if it is large.

    Raises:
        Rejected: the bytes are not such a request, as far as they were looked at.
    """
    return decode(signal, body) if len(body) > ALONE else Encoded(signal, body, _CODECS[signal])


def decode(signal: Signal, body: bytes) -> Batch:
    """Protobuf bytes of one export request to a batch.

    Raises:
        Rejected: the bytes are not such a request.
    """
    records = _rows(signal, [body]) if len(body) <= PIECE else _whole(signal, body)
    return Batch(signal, records, len(body))


def _rows(signal: Signal, bodies: Sequence[bytes]) -> pa.RecordBatch:
    """A row for each body."""
    try:
        rows: pa.RecordBatch = _decoder(signal).list_to_record_batch(list(bodies))
    except (ValueError, IndexError) as error:
        raise Rejected(f"the body is not an OTLP {signal} request in protobuf: {error}") from None
    return rows


_CODECS: Final[Mapping[Signal, Codec]] = {signal: partial(_rows, signal) for signal in Signal}


def _whole(signal: Signal, body: bytes) -> pa.RecordBatch:
    """Piece by piece, as long as it stays in proportion."""
    found, size = [], 0
    for piece in _pieces(signal, body):
        found.append(_rows(signal, [piece]))
        size += found[-1].nbytes
        if size > _MAX_GROWTH * len(body):
            raise Rejected(
                f"the request grows to more than {_MAX_GROWTH} times its {len(body)} bytes when it is decoded:"
                " it has too many records or attributes that say nothing; send fewer"
            )
    groups = pa.concat_arrays([batch.column(0).flatten() for batch in found])
    request = pa.ListArray.from_arrays(
        pa.array([0, len(groups)], pa.int32()), groups, type=found[0].schema[0].type
    )
    return pa.RecordBatch.from_arrays([request], schema=found[0].schema)


def _pieces(signal: Signal, body: bytes) -> Iterator[bytes]:
    try:
        yield from pieces(body)
    except (ValueError, IndexError) as error:
        raise Rejected(f"the body is not an OTLP {signal} request in protobuf: {error}") from None


def decode_json(signal: Signal, body: bytes) -> Batch:
    """OTLP/JSON bytes of one export request to a batch.

    OTLP writes ids as hex where protobuf's own JSON form has base64, so ids are translated first.

    Raises:
        Rejected: the bytes are not such a request, or one that is better sent as protobuf.
    """
    if len(body) > MAX_JSON_BYTES or body.count(b"{") > _MAX_JSON_OBJECTS:
        raise Rejected(
            f"the JSON has more than {MAX_JSON_BYTES} bytes or {_MAX_JSON_OBJECTS} objects:"
            " send smaller batches, or protobuf"
        )
    from collector.receivers.otlp_json import canonical  # JSON is the rare form: not on the hot path

    try:
        message = json_format.ParseDict(canonical(body), REQUESTS[signal](), ignore_unknown_fields=True)
    except (ValueError, RecursionError, json_format.ParseError) as error:
        raise Rejected(f"the body is not an OTLP {signal} request in JSON: {error}") from None
    return decode(signal, message.SerializeToString())


@cache
def _decoder(signal: Signal) -> Any:
    request = REQUESTS[signal].DESCRIPTOR
    pool = DescriptorPool()
    names = []
    for file in _with_dependencies(request.file):
        pool.Add(_columnar(file))
        names.append(file.name)
    handlers = ptars.HandlerPool([pool.FindFileByName(name) for name in names])
    return handlers.get_for_message(pool.FindMessageTypeByName(request.full_name))


def _with_dependencies(file: FileDescriptor) -> list[FileDescriptor]:
    found: list[FileDescriptor] = []
    for dependency in file.dependencies:
        found += [f for f in _with_dependencies(dependency) if f not in found]
    return [*found, file]


def _columnar(file: FileDescriptor) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    del proto.service[:]
    for message in proto.message_type:
        _flatten_message(message)
    return proto


def _flatten_message(message: DescriptorProto) -> None:
    for nested in message.nested_type:
        _flatten_message(nested)
    kept = [f for f in message.field if not {f.name, f"{message.name}.{f.name}"} & _UNUSED]
    for field in kept:
        if field.type_name.rsplit(".", 1)[-1] in _RECURSIVE:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
        elif field.type == FieldDescriptorProto.TYPE_ENUM:  # numbers survive what names would refuse
            field.type = FieldDescriptorProto.TYPE_INT32
            field.ClearField("type_name")
    message.ClearField("field")
    message.field.extend(kept)


def schema(signal: Signal) -> pa.Schema:
    """The nested Arrow schema of one decoded request."""
    return _decoder(signal).list_to_record_batch([]).schema


def answer(signal: Signal, accepted: Accepted) -> Any:
    """The export response: partial success where rows were rejected, or something was cut."""
    response = RESPONSES[signal]()
    if accepted.rejected or accepted.reasons:  # reasons alone: what was cut
        rejected = {Signal.SPANS: "rejected_spans", Signal.LOGS: "rejected_log_records"}
        setattr(response.partial_success, rejected.get(signal, "rejected_data_points"), accepted.rejected)
        response.partial_success.error_message = "; ".join(accepted.reasons)
    return response
