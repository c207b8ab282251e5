"""A small OTLP/HTTP receiver that keeps the spans it gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    service: str
    instance: str
    name: str
    trace_id: str
    parent_id: str


class Receiver:
    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.url = ""

    def accept(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in group.resource.attributes}
            service = f"{resource['service.namespace']}/{resource['service.name']}"
            self.spans += [
                Received(
                    service,
                    resource["service.instance.id"],
                    span.name,
                    span.trace_id.hex(),
                    span.parent_span_id.hex(),
                )
                for scope in group.scope_spans
                for span in scope.spans
            ]

    def names(self, trace_id: str) -> set[tuple[str, str]]:
        """(service, span name) of one trace."""
        return {(span.service, span.name) for span in list(self.spans) if span.trace_id == trace_id}


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.accept(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
