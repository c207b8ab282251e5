"""A lock that all processes share which change policies in one PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

# Any fixed number, another one than that of migrations.
_ADVISORY_LOCK = 0x6D657369

_log = structlog.get_logger(__name__)


class SharedTurn:
    """Held by one process at a time, and let go when it dies: the lock is one of a connection's session.

    Where the database is a file there is one process, and nothing to share. Methods block shortly. A connection that
    breaks while the turn is held lets another process have it: what it changes then, it changes from what is stored.
    """

    def __init__(self, engine: Engine) -> None:
        self.shared = engine.dialect.name == "postgresql"
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Whether it is ours now. Does not wait."""
        if not self.shared:
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = False
        try:
            taken = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_LOCK))))
        finally:
            if taken:
                self._connection = connection
            else:
                connection.close()
        return taken

    def release(self) -> None:
        """Let the next one have it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_ADVISORY_LOCK)))
        except DBAPIError as error:
            _log.error("turn_was_lost", error=repr(error)[:500])
            connection.invalidate()
        connection.close()
