"""One resource type on one ADS stream: what the proxy wants, what it was sent, what it answered.

The rules are those of Envoy's "xDS REST and gRPC protocol", state of the world: an answer bears the nonce of
the response that it answers; with an error it is a NACK, with the version that was sent an ACK, and with
other names it is (also) a new subscription. An older nonce answers nothing.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum
from time import time
from typing import Any

from proxy_plugin.envoy.api import CDS, LDS
from proxy_plugin.envoy.snapshot import Resource, Snapshot
from proxy_plugin.envoy.status import TypeState, TypeStatus


class Answer(Enum):
    NONE = "none"
    ACK = "ack"
    NACK = "nack"


class Subscription:
    """At most one response is unanswered at a time, so a burst of snapshots ends in the newest one only."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.error = ""
        self._names: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        self._holds: frozenset[str] = frozenset()
        self._asked = False
        self._again = False
        self._in_flight = False
        self._nonce = ""
        self._sent = self._acked = self._nacked = ""
        self._sent_at: float | None = None
        self._answered_at: float | None = None

    def read(self, request: Any) -> Answer:
        """Take in a DiscoveryRequest of this type."""
        if request.response_nonce and request.response_nonce != self._nonce:
            return Answer.NONE
        answer = self._answer(request) if request.response_nonce and self._in_flight else Answer.NONE
        names = frozenset(request.resource_names)
        if not self._asked or names != self._names:
            self._asked = self._again = True
            self._names = names
            self._holds &= names
        return answer

    def _answer(self, request: Any) -> Answer:
        refused = request.HasField("error_detail")
        if not refused and request.version_info != self._sent:
            return Answer.NONE
        self._in_flight = False
        self._answered_at = time()
        if refused:
            self._nacked, self.error = self._sent, request.error_detail.message
            return Answer.NACK
        self._acked, self._nacked, self.error = self._sent, "", ""
        self._holds = self._told & self._names
        return Answer.ACK

    def send_again(self) -> None:
        """Send what is there even if it is not new: clusters that were sent anew wait for their endpoints."""
        self._again = True

    def due(self, snapshot: Snapshot) -> bool:
        """Whether to send now. What was refused is not sent a second time."""
        new = self._again or snapshot.versions[self.type_url] != self._sent
        return new and not self._in_flight and self._wants_any()

    def sending(self, snapshot: Snapshot, nonce: str) -> list[Resource]:
        """The resources of the response that bears `nonce`; from now on it is in flight."""
        self._sent, self._nonce, self._sent_at = snapshot.versions[self.type_url], nonce, time()
        self._in_flight, self._again, self._told = True, False, self._names
        known = snapshot.resources[self.type_url]
        return [resource for name, resource in known.items() if self._wildcard() or name in self._names]

    def status(self, version: str, needs: AbstractSet[str] = frozenset()) -> TypeStatus:
        """Where the proxy is with `version`, the one that it should have.

        `needs`: names that it will ask for; it has not got the version before it has got them.
        """
        error = self.error if self._nacked and self._nacked == version else None
        state = self._state(version)
        if state == "synced" and not needs <= self._holds:
            state = "stale"
        return TypeStatus(state, version, error, self._sent_at, self._answered_at)

    def _state(self, version: str) -> TypeState:
        if not self._wants_any():
            return "not_requested"
        if not version or version not in (self._acked, self._nacked, self._sent):
            return "not_sent"
        if version == self._acked:
            return "synced"
        return "nacked" if version == self._nacked else "stale"

    def _wildcard(self) -> bool:
        return self.type_url in (CDS, LDS) and not self._names

    def _wants_any(self) -> bool:
        return bool(self._names) or self._wildcard()
