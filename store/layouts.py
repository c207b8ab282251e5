"""Where the nodes of the graph stand: one set of positions (px) per view."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from store.control import LayoutRow
from store.engines import reads, writes

Positions = Mapping[str, tuple[float, float]]


class Layouts:
    """Positions for the page, without blocking its event loop."""

    def __init__(self, engine: Engine) -> None:
        self._reads, self._writes = reads(engine), writes(engine)

    async def load(self, view: str) -> dict[str, tuple[float, float]]:
        return await asyncio.to_thread(self._load, view)

    async def save(self, view: str, positions: Positions) -> None:
        """Replace the positions of `view`."""
        await asyncio.to_thread(self._save, view, positions)

    def _load(self, view: str) -> dict[str, tuple[float, float]]:
        with self._reads() as session:
            return load(session, view)

    def _save(self, view: str, positions: Positions) -> None:
        with self._writes.begin() as session:
            save(session, view, positions)


def load(session: Session, view: str) -> dict[str, tuple[float, float]]:
    rows = session.scalars(sa.select(LayoutRow).where(LayoutRow.view == view))
    return {row.node: (row.x, row.y) for row in rows}


def save(session: Session, view: str, positions: Positions) -> None:
    session.execute(sa.delete(LayoutRow).where(LayoutRow.view == view))
    rows = (LayoutRow(view=view, node=node, x=x, y=y) for node, (x, y) in positions.items())
    session.add_all(row for row in rows if _storable(row.node))


def _storable(node: str) -> bool:
    """Node ids come from telemetry, and so from anybody: one that a database cannot keep is not sticky."""
    return len(node) <= 512 and node.isprintable()
