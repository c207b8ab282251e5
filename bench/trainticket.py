"""A day of TrainTicket, recorded by OpenTelemetry (IntelligentDDS/Nezha), as OTLP requests that end now.

Expected at ``../shared/data`` beside the repository, or where ``MESHSCOPE_BENCH_DATA`` says. The recording has no
kinds: a span is SERVER where its parent is of another service or absent, INTERNAL otherwise.
"""

from __future__ import annotations

import csv
import gzip
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench.bodies import SPANS, attribute

_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
_FILE: Final = Path("nezha", "trainticket-2023-01-30.csv.gz")


def path() -> Path | None:
    """The recording, or None where there is none."""
    file = Path(os.environ.get("MESHSCOPE_BENCH_DATA", _BESIDE)) / _FILE
    return file if file.is_file() else None


def read(file: Path) -> list[dict[str, str]]:
    """Its rows, of which some are repeated, as they came."""
    with gzip.open(file, "rt", newline="") as text:
        return list(csv.DictReader(text))


def requests(rows: list[dict[str, str]], day: int = 0) -> list[bytes]:
    """The rows in their order, 500 a request; each ``day`` has traces of its own."""
    rows = [{**row, "TraceID": f"{int(row['TraceID'], 16) ^ day:032x}"} for row in rows]
    service_of = {(row["TraceID"], row["SpanID"]): _service(row) for row in rows}
    later = time.time_ns() - max(int(row["EndTimeUnixNano"]) for row in rows)
    return [_request(rows[at : at + SPANS], service_of, later) for at in range(0, len(rows), SPANS)]


def _service(row: dict[str, str]) -> str:
    return row["PodName"].rsplit("-", 2)[0]


def _request(rows: list[dict[str, str]], service_of: dict[tuple[str, str], str], later: int) -> bytes:
    of_pod: dict[str, list[Span]] = defaultdict(list)
    for row in rows:
        above = service_of.get((row["TraceID"], row["ParentID"]))
        of_pod[row["PodName"]].append(
            Span(
                trace_id=bytes.fromhex(row["TraceID"]),
                span_id=bytes.fromhex(row["SpanID"]),
                parent_span_id=b"" if row["ParentID"] == "root" else bytes.fromhex(row["ParentID"]),
                name=row["OperationName"],
                kind=Span.SPAN_KIND_INTERNAL if above == _service(row) else Span.SPAN_KIND_SERVER,
                start_time_unix_nano=int(row["StartTimeUnixNano"]) + later,
                end_time_unix_nano=int(row["EndTimeUnixNano"]) + later,
            )
        )
    request = ExportTraceServiceRequest()
    for pod, spans in of_pod.items():
        group = request.resource_spans.add()
        group.resource.attributes.append(attribute("service.name", pod.rsplit("-", 2)[0]))
        group.resource.attributes.append(attribute("k8s.pod.name", pod))
        group.scope_spans.add().spans.extend(spans)
    encoded: bytes = request.SerializeToString()
    return encoded
