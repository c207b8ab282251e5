"""Rows as JSON, CSV or Arrow, whichever the client takes."""

from __future__ import annotations

import io
from typing import Final
from urllib.parse import urlencode

import orjson
import polars as pl
import pyarrow as pa
from fastapi import Request
from fastapi.responses import Response

from web.problems import Problem

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
MEDIA_TYPES: Final = (JSON, CSV, ARROW)
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def media_type(accept: str) -> str:
    """The one of :data:`MEDIA_TYPES` that an Accept header likes best. Raises a 406 problem for none."""
    if not accept.strip():
        return JSON
    liked = [(_quality(accept, kind), kind) for kind in MEDIA_TYPES]
    best = max(quality for quality, _ in liked)
    if best <= 0:
        raise Problem(406, detail=f"Accept one of {', '.join(MEDIA_TYPES)}.")
    return next(kind for quality, kind in liked if quality == best)


def _quality(accept: str, kind: str) -> float:
    """RFC 9110: the most specific range that fits decides."""
    found = [(-1, 0.0)]
    for part in accept.split(","):
        name, _, parameters = part.partition(";")
        ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        if (name := name.strip().lower()) in ranges:
            found.append((2 - ranges.index(name), _weight(parameters)))
    return max(found)[1]


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def answer(rows: pl.DataFrame, next_cursor: str | None, request: Request) -> Response:
    """``rows``; where they are not JSON the next page is named by a Link header (RFC 8288).

    A column ``time`` is a point in time: unix seconds in ``rows``, RFC 3339 in JSON and CSV, a timestamp in Arrow.
    """
    kind = media_type(request.headers.get("accept", ""))
    headers = {"Vary": "Accept"}
    if next_cursor is not None:
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        headers["Link"] = f'<{request.url.path}?{urlencode([*query, ("cursor", next_cursor)])}>; rel="next"'
    if kind == ARROW:
        return Response(_arrow(rows), media_type=kind, headers=headers)
    if "time" in rows.columns:
        rows = rows.with_columns(pl.from_epoch("time", "s").dt.strftime(_TIME))
    if kind == CSV:
        return Response(rows.write_csv(), media_type="text/csv", headers=headers)
    body = {"rows": rows.to_dicts(), "next_cursor": next_cursor}
    return Response(orjson.dumps(body), media_type=kind, headers=headers)


def _arrow(rows: pl.DataFrame) -> bytes:
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    if "time" in rows.columns:
        at = table.schema.get_field_index("time")
        table = table.set_column(at, "time", table["time"].cast(pa.timestamp("s", tz="UTC")))
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()
