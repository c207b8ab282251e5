"""Several processes on one PostgreSQL: each takes over what another has changed."""

from __future__ import annotations

from typing import Final

from web.policies.changes import Changes
from web.policies.keeper import LOOK_AGAIN

_EVERY: Final = 1.0  # s until a change of another process is in force at the proxies of this one, at most


class Replicas:
    """Follows the others, where there can be any."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def look(self) -> float:
        """Take over what is stored; seconds until it is worth looking again."""
        if not self._changes.shared:
            return LOOK_AGAIN
        await self._changes.follow()
        return _EVERY
