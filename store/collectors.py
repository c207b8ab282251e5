"""Which collector stored what, where several share one store: each answers for its own rows."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

NAME: Final = r"[A-Za-z0-9._:/-]{1,64}"
_FILE: Final = "collector_id"


def collector_id(given: str | None, data: Path) -> str:
    """The name of this collector: the one that is given, else a random one that stays in the folder ``data``.

    As OpenTelemetry recommends for ``service.instance.id``. The embedded store moves with its folder, so its name does.
    """
    if given:
        return given
    file = data / _FILE
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.exists() and re.fullmatch(NAME, found := file.read_text().strip()):
        return found
    made, draft = str(uuid.uuid4()), data / f".{_FILE}.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(f"{made}\n")
    draft.replace(file)
    return made


def own(column: Any, collector: str) -> sa.ColumnElement[bool]:
    """The rows that ``collector`` stored, and those from before collectors had names."""
    mine: sa.ColumnElement[bool] = column.in_(sorted({"", collector}))
    return mine


def signed(rows: pa.Table, collector: str) -> pa.Table:
    """With the column ``collector``."""
    one = pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), rows.num_rows), pa.array([collector])
    )
    return rows.append_column("collector", one)
