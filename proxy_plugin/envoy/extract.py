"""Writes `api.fds.gz`: the descriptors of the Envoy API, taken out of the Envoy binary that is installed.

`python -m proxy_plugin.envoy.extract` makes the committed file anew; a test makes it too and compares. The
binary embeds every FileDescriptorProto of its own API, so what is taken fits it exactly.
"""

from __future__ import annotations

import gzip
import mmap
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from proxy_plugin.envoy.api import DESCRIPTORS
from proxy_plugin.envoy.binary import envoy_binary

ROOTS = (
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/config/trace/v3/opentelemetry.proto",
    "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto",
    "envoy/extensions/filters/http/fault/v3/fault.proto",
    "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto",
    "envoy/extensions/filters/http/rbac/v3/rbac.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "envoy/service/discovery/v3/ads.proto",
    "opentelemetry/proto/collector/logs/v1/logs_service.proto",
)
"""What the control plane writes or reads, and what a sidecar reports; their imports come with them."""

_PACKAGES = rb"envoy|xds|udpa|validate|google|opentelemetry|cel|gogoproto"
# A FileDescriptorProto begins with field 1 (0x0a), the length of the file's name, and that name.
_BEGIN = re.compile(rb"\n([\x05-\x7f])((?:" + _PACKAGES + rb")/[a-zA-Z0-9_/.]+\.proto)")
_BYTES_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9, 12))
_VARINT_FIELDS = frozenset((10, 11, 14))
_LARGEST_FIELD = 1 << 20


def extract(binary: Path) -> dict[str, FileDescriptorProto]:
    """Every FileDescriptorProto embedded in the binary, by file name."""
    found: dict[str, FileDescriptorProto] = {}
    with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        for match in _BEGIN.finditer(image):
            if match[1][0] != len(match[2]):
                continue
            try:
                proto = FileDescriptorProto.FromString(image[match.start() : _end(image, match.start())])
            except DecodeError:
                continue
            if proto.package or proto.message_type:
                found.setdefault(proto.name, proto)
    return found


def _end(image: mmap.mmap, begin: int) -> int:
    """Where the message that begins there ends: at the first bytes that cannot be a field of it."""
    at = begin
    while at < len(image):
        tag, value = _varint(image, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 2 and number in _BYTES_FIELDS and not (number == 1 and at != begin):
            length, value = _varint(image, value)
            if length > _LARGEST_FIELD:
                break
            at = value + length
        elif wire_type == 0 and number in _VARINT_FIELDS:
            _, at = _varint(image, value)
        else:
            break
    return at


def _varint(image: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = image[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def prune(files: dict[str, FileDescriptorProto], roots: Iterable[str]) -> FileDescriptorSet:
    """The roots and all that they import, in the order of their names."""
    wanted: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += files[name].dependency
    return FileDescriptorSet(file=[files[name] for name in sorted(wanted)])


def pack(files: FileDescriptorSet) -> bytes:
    """Compressed, the same bytes for the same descriptors."""
    return gzip.compress(files.SerializeToString(deterministic=True), 9, mtime=0)


def main() -> None:
    content = pack(prune(extract(envoy_binary()), ROOTS))
    DESCRIPTORS.write_bytes(content)
    sys.stderr.write(f"{DESCRIPTORS}: {len(content)} bytes\n")


if __name__ == "__main__":
    main()
