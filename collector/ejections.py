"""Log records of ejected hosts → transitions. Our sidecars write them (``proxy_plugin/envoy/ejections.py``)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from collector.attributes import Attributes
from collector.breaker_edges import TRANSITIONS

EVENT: Final = "meshscope.event"
EVENTS: Final = ("eject", "uneject")
_TEXTS: Final = {
    "event": EVENT,
    "target": "meshscope.target",
    "version": "meshscope.target.version",
    "host": "upstream.host",
    "type": "meshscope.ejection.type",
}


def rows(
    attributes: Attributes, time: NDArray[Any], records: NDArray[np.int64], reporters: pl.DataFrame
) -> pl.DataFrame:
    """Rows of :data:`TRANSITIONS` for some records.

    Args:
        attributes: of all records.
        time: unix ns of all records.
        records: which of them are ejections, or the ends of some.
        reporters: ``service`` and ``instance`` of those.
    """
    if not len(records):
        return pl.DataFrame(schema=TRANSITIONS)
    at = pa.array(records)
    facts = pl.DataFrame({name: attributes.text(key).take(at) for name, key in _TEXTS.items()}).with_columns(
        pl.col(name).cast(pl.String).fill_null("") for name in _TEXTS
    )
    out = pl.col("event") == "eject"
    found = pl.concat([facts, reporters.select("service", "instance")], how="horizontal").select(
        time=pl.Series(time[records] / 1e9),
        source="service",
        instance="instance",
        target=pl.col("target").str.replace_all(":", "_", literal=True),  # as Envoy's metrics have it
        version=pl.when(pl.col("version") == "").then(pl.lit("*")).otherwise("version"),
        host="host",
        before=pl.when(out).then(pl.lit("in")).otherwise(pl.lit("ejected")),
        state=pl.when(out).then(pl.lit("ejected")).otherwise(pl.lit("in")),
        reasons=pl.when(out).then("type").otherwise(pl.lit("")),
        ejected=pl.lit(0.0),
        hosts=pl.lit(0.0),
    )
    return found.filter((pl.col("target") != "") & (pl.col("host") != "")).cast(pl.Schema(TRANSITIONS))
