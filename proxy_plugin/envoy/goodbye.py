"""The good-bye of a sidecar that is stopped on purpose: nobody calls it any more before it drains.

One unary gRPC method beside ADS, because Envoy has no word for it: the request is the node id as UTF-8, the
empty answer comes when the callers know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from proxy_plugin.envoy.bootstrap import ControlAddress

SERVICE = "meshscope.control.v1.Sidecars"
METHOD = "Goodbye"


def goodbye_handler(leave: Callable[[str], Awaitable[None]]) -> grpc.GenericRpcHandler:
    async def goodbye(node_id: bytes, context: Any) -> bytes:
        await leave(node_id.decode(errors="replace"))
        return b""

    return grpc.method_handlers_generic_handler(
        SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(goodbye)}
    )


async def say_goodbye(control: ControlAddress, node_id: str, deadline: float = 3.0) -> bool:
    """Whether the control plane heard it; when it is away, the sidecar stops all the same."""
    async with grpc.aio.insecure_channel(f"{control.host}:{control.port}") as channel:
        try:
            await channel.unary_unary(f"/{SERVICE}/{METHOD}")(node_id.encode(), timeout=deadline)
        except grpc.aio.AioRpcError:
            return False
    return True
