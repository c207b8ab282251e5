from __future__ import annotations

import asyncio
import socket

import pytest

from proxy_plugin.envoy import ports
from proxy_plugin.envoy.ports import PortBusyError, accepts, demand, free_ports, is_free


def test_free_ports_differ_and_lie_below_the_ephemeral_ones() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert not set(found) & set(free_ports(20, avoid=found))
    assert all(port in ports.RANGE and 1024 < port < 32768 for port in found)


def test_a_port_with_a_listener_is_not_free_even_if_it_is_shared() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        (port,) = free_ports(1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not is_free("127.0.0.1", port)
        with pytest.raises(PortBusyError, match=rf"port {port} on 127.0.0.1 \(admin\) is in use") as busy:
            demand("127.0.0.1", {"admin": port})
    assert busy.value.port == port
    demand("127.0.0.1", {"admin": port})


def test_a_port_accepts_only_while_somebody_listens() -> None:
    (port,) = free_ports(1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        assert not asyncio.run(accepts("127.0.0.1", port))
        listener.listen()
        assert asyncio.run(accepts("127.0.0.1", port))
