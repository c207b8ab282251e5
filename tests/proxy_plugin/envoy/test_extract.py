from __future__ import annotations

import gzip

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from proxy_plugin.envoy.api import DESCRIPTORS
from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.extract import ROOTS, extract, pack, prune


def test_the_committed_descriptors_are_those_of_the_installed_envoy() -> None:
    """`python -m proxy_plugin.envoy.extract` makes them anew."""
    made = pack(prune(extract(envoy_binary()), ROOTS))
    assert gzip.decompress(made) == gzip.decompress(DESCRIPTORS.read_bytes())


def test_pruning_keeps_what_the_roots_import_and_nothing_else() -> None:
    files = {
        file.name: file
        for file in FileDescriptorSet.FromString(gzip.decompress(DESCRIPTORS.read_bytes())).file
    }
    assert set(ROOTS) <= set(files)
    assert all(name in files for file in files.values() for name in file.dependency)
    alone = prune(files, ["envoy/config/trace/v3/opentelemetry.proto"])
    assert 1 < len(alone.file) < len(files)
