"""Every group gets every message once; a group that is too slow loses its oldest."""

from __future__ import annotations

import asyncio

from proxy_plugin.demo.broker import Broker, Message


def test_each_group_gets_each_message_once_and_in_order() -> None:
    async def exchange() -> None:
        broker = Broker([("order.created", "shipping"), ("order.created", "notify"), ("other", "shipping")])
        for number in ("1", "2"):
            broker.publish(Message(number, "order.created", {}))
        for group in ("shipping", "notify"):
            received = [(await broker.receive("order.created", group)).id for _ in range(2)]
            assert received == ["1", "2"]

    asyncio.run(exchange())


def test_a_full_queue_drops_its_oldest_message() -> None:
    async def exchange() -> None:
        broker = Broker([("topic", "slow")], capacity=2)
        for number in ("1", "2", "3"):
            broker.publish(Message(number, "topic", {}))
        assert [(await broker.receive("topic", "slow")).id for _ in range(2)] == ["2", "3"]

    asyncio.run(exchange())
