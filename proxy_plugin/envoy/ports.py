"""Ports on one host: which are free, and a clear word about the one that is not."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Container

from proxy_plugin.envoy.mesh import LOOPBACK

# Below the ports that the kernel gives to outgoing connections (32768-60999), above the well-known ones.
RANGE = range(20000, 32767)
"""What :func:`free_ports` chooses from. Processes that choose at the same time are given parts of their own."""


class PortBusyError(OSError):
    """Something else listens there already."""

    def __init__(self, host: str, port: int, purpose: str) -> None:
        super().__init__(f"port {port} on {host} ({purpose}) is in use already")
        self.port = port


def is_free(host: str, port: int) -> bool:
    """Whether nothing listens there. Without SO_REUSEPORT: another Envoy's port counts as taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


async def accepts(host: str, port: int, within: float = 1.0) -> bool:
    """Whether a TCP connection can be made there, in so many seconds."""
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


def demand(host: str, ports: dict[str, int]) -> None:
    """PortBusyError for the first of `ports` (purpose → port) that is not free."""
    for purpose, port in ports.items():
        if not is_free(host, port):
            raise PortBusyError(host, port, purpose)


def free_ports(count: int, host: str = LOOPBACK, avoid: Container[int] = ()) -> list[int]:
    """Different free ports that no outgoing connection will take by chance.

    Nothing is reserved: who plans several programs before the first one listens has its own plans to `avoid`.
    """
    candidates = random.sample(RANGE, k=len(RANGE))
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if port not in avoid and is_free(host, port):
            found.append(port)
    return found
