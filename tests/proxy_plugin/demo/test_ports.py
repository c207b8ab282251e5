"""Ports are free, below the ephemeral range, never shared between two meshes; the busy ones are named."""

from __future__ import annotations

import socket

import pytest

from proxy_plugin.demo.ports import BLOCK, NoFreePortError, Ports


def test_a_mesh_gets_distinct_ports_that_can_be_bound() -> None:
    with Ports() as ports:
        taken = [ports.take() for _ in range(20)]
        assert len(set(taken)) == 20
        assert max(taken) < 32768
        for port in taken:
            with socket.create_server(("127.0.0.1", port)):
                pass


def test_two_meshes_never_share_a_block() -> None:
    with Ports() as first, Ports() as second:
        one, other = first.take(), second.take()
        assert abs(one - other) >= BLOCK - 1
        assert second.busy


def test_a_busy_port_is_skipped_and_named_also_if_it_would_be_shared() -> None:
    with Ports() as ports:
        port = ports.take()
        with socket.socket() as envoy:
            envoy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            envoy.bind(("127.0.0.1", port + 1))
            envoy.listen()
            assert ports.take() == port + 2
        assert ports.busy[-1] == port + 1


def test_a_block_has_an_end() -> None:
    def take_all(ports: Ports) -> None:
        for _ in range(BLOCK):
            ports.take()

    with Ports() as ports, pytest.raises(NoFreePortError):
        take_all(ports)


def test_a_closed_block_is_free_again() -> None:
    with Ports() as first:
        port = first.take()
    with Ports() as second:
        assert second.take() == port
