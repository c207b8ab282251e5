from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase

from store.control import Base, SessionRow
from store.engines import writes


def test_a_time_without_a_zone_is_refused(control: Engine) -> None:
    """It would be read back as UTC, hours away from what was meant."""
    naive = datetime(2030, 1, 1)
    with pytest.raises(sa.exc.StatementError, match="without a zone"), writes(control).begin() as session:
        session.add(SessionRow(hash="h", actor="a", created_at=naive, expires_at=naive))


def test_every_constraint_has_a_name() -> None:
    """SQLite can only alter what has a name."""
    assert issubclass(Base, DeclarativeBase)
    names = [each.name for table in Base.metadata.tables.values() for each in table.constraints]
    assert None not in names
