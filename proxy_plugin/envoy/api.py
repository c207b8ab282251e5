"""Envoy's API as messages, from descriptors in a pool of our own: no generated code, no package clash.

Resources are written as the JSON that Envoy's documentation shows, each with its ``@type``. A field or an
enum value that this Envoy does not know is refused here, before anything is sent.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

DESCRIPTORS = Path(__file__).with_name("api.fds.gz")
TYPE_PREFIX = "type.googleapis.com/"

CDS = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
EDS = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LDS = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
RDS = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
SDS = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
ORDER = (CDS, EDS, SDS, LDS, RDS)
"""The order in which one stream is told: what is referred to comes before what refers to it."""


class InvalidResourceError(ValueError):
    """A resource that Envoy's API does not allow; the message says which field or value."""


class EnvoyApi:
    """Message classes by full name, and resources packed into Any."""

    def __init__(self, descriptors: bytes) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        files = {file.name: file for file in FileDescriptorSet.FromString(descriptors).file}
        for name in list(files):
            self._add(name, files)
        self._any: Any = self.message("google.protobuf.Any")

    def _add(self, name: str, files: dict[str, FileDescriptorProto]) -> None:
        """Files go into the pool after the ones that they import."""
        file = files.pop(name, None)
        if file is not None:
            for dependency in file.dependency:
                self._add(dependency, files)
            self._pool.AddSerializedFile(file.SerializeToString())

    def message(self, name: str) -> type[Message]:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    def pack(self, resource: Mapping[str, Any]) -> Message:
        """The resource as Any; its ``@type`` says what it is. InvalidResourceError when it cannot be."""
        copy = deepcopy(dict(resource))  # ParseDict moves the keys of nested Any's about
        try:
            packed: Message = json_format.ParseDict(copy, self._any(), descriptor_pool=self._pool)
        except (json_format.ParseError, TypeError) as error:
            raise InvalidResourceError(str(error)) from error
        return packed

    def to_dict(self, message: Message) -> dict[str, Any]:
        """The message as JSON types with the field names of the .proto files."""
        found: dict[str, Any] = json_format.MessageToDict(
            message, preserving_proto_field_name=True, descriptor_pool=self._pool
        )
        return found


@cache
def envoy_api() -> EnvoyApi:
    """The API of the Envoy that this release drives; read once."""
    return EnvoyApi(gzip.decompress(DESCRIPTORS.read_bytes()))
