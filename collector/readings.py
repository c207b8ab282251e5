"""What attributes, kind and status say of a span: :data:`collector.model.READING`, once for each combination."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import model, naming, packing, weights
from collector.attributes import Attributes
from collector.distinct import distinct
from collector.memo import Ints, Memo

_ABSENT: Final = packing.ESCAPE  # no escaped text is this
_URL_TO_HOST: Final = r"^(?P<host>[^/?#]*//[^/?#]*)"
_KINDS: Final = model.CONSUMER + 1
_STATUSES: Final = model.STATUS_ERROR + 1
_PROBABILITY: Final = "probability"
_KNOWN: Final = Memo()


def readings(attributes: Attributes, spans: Any, probability: str = "") -> tuple[pa.Table, Ints]:
    """The different readings of spans.

    Args:
        attributes: theirs.
        spans: their other fields, as OTLP names them.
        probability: the attribute that says with which probability a span was kept (R9), "" for none.

    Returns:
        Different rows of :data:`collector.model.READING` and ``text``, as stored, and for each span its row.
    """
    kind, status = (
        _number(spans.field("kind"), _KINDS),
        _number(spans.field("status").field("code"), _STATUSES),
    )
    small = kind + _KINDS * (status + _STATUSES * _marks(attributes))
    entries = _deciding(attributes, kind)
    hosts = _hosts(attributes.texts, entries.pop("url", None))
    if stated := stated_in(attributes, probability):
        entries[_PROBABILITY] = attributes.entries(*stated)
    states = spans.field("trace_state")
    columns = [c for c in (_told(attributes.packed, entries), hosts, states) if c is not None and _says(c)]
    one, which = distinct([small, *columns], len(kind))

    def made(new: Ints) -> pl.DataFrame:
        rows = one[new]
        named = (*naming.TEXTS, _PROBABILITY)
        texts = {name: _taken(attributes.texts, entries.get(name), rows) for name in named}
        if hosts is not None:
            texts["url"] = hosts.take(pa.array(rows))
        texts["tracestate"] = states.take(pa.array(rows))
        return _read(texts, small[rows])

    facts = ",".join([*entries, "" if hosts is None else "url"])
    parts = [[facts] * len(one), map(str, small[one].tolist())]
    parts += [pc.fill_null(column.take(pa.array(one)), _ABSENT).to_pylist() for column in columns]
    table, rows = _KNOWN.look_up(list(zip(*parts, strict=True)), made)
    return table, rows[which]


def stated_in(attributes: Attributes, probability: str) -> tuple[str, ...]:
    """The configured attribute, where there is one and some span has it."""
    return (probability,) if probability and attributes.known(probability) else ()


def _number(numbers: pa.Array, known: int) -> Ints:
    """Enum numbers, 0 (unspecified) for those that OTLP does not know (yet)."""
    values = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    return np.where((values >= 0) & (values < known), values, 0).astype(np.int64)


def _marks(attributes: Attributes) -> Ints:
    """What the keys alone say, as bits: 1 a mesh's request id, 2 a mesh's tag, 4 shared, 8 unfinished."""
    request_id, *_ = naming.TEXTS["request_id"]
    flags = attributes.has(naming.SHARED), attributes.has(naming.UNFINISHED)
    marks = attributes.has(request_id), attributes.has_prefix("istio."), *flags
    return np.asarray(sum(mark.astype(np.int64) << bit for bit, mark in enumerate(marks)))


def _deciding(attributes: Attributes, kind: Ints) -> dict[str, Ints]:
    """Where the texts are that decide something: per name of ``naming.TEXTS`` that occurs, as `Attributes.entries`."""
    found = {
        name: attributes.entries(*keys)
        for name, keys in naming.TEXTS.items()
        if name != "request_id" and attributes.known(*keys)
    }
    if "network_port" in found:  # of a called span it is the caller's, which differs from call to call
        found["network_port"][(kind != model.CLIENT) & (kind != model.PRODUCER)] = -1
    return found


def _told(packed: pa.Array, entries: dict[str, Ints]) -> pa.Array | None:
    """The deciding texts of each row as one; None where there are none at all."""
    if not entries:
        return None
    at = np.stack(list(entries.values()), axis=1)
    offsets = pa.array(np.arange(len(at) + 1, dtype=np.int32) * len(entries))
    return packing.joined(pc.fill_null(_taken(packed, at.reshape(-1)), _ABSENT), offsets)


def _hosts(texts: pa.Array, entries: Ints | None) -> pa.Array | None:
    """Scheme and host of URLs: what follows differs from span to span."""
    if entries is None:
        return None
    return pc.struct_field(pc.extract_regex(_taken(texts, entries), _URL_TO_HOST), "host")


def _says(texts: pa.Array) -> bool:
    """Whether any is other than empty."""
    return bool(pc.max(pc.binary_length(texts)).as_py())


def _taken(texts: pa.Array, entries: Ints | None, rows: Ints | None = None) -> pa.Array:
    if entries is None:
        return pa.nulls(0 if rows is None else len(rows), pa.string())
    at = entries if rows is None else entries[rows]
    return texts.take(pa.array(at, mask=at < 0))


def _read(texts: dict[str, pa.Array], small: Ints) -> pl.DataFrame:
    rest, kind = np.divmod(small, _KINDS)
    marks, status = np.divmod(rest, _STATUSES)
    facts = pl.DataFrame(texts).with_columns(
        kind=pl.Series(kind.astype(np.int8)),
        status=pl.Series(status.astype(np.int8)),
        in_mesh=pl.Series((marks & 3) > 0),
        shared=pl.Series((marks & 4) > 0),
        timed=pl.Series((marks & 8) == 0),
    )
    known = facts.with_columns(destination=naming.destination(), messaging=naming.messaging())
    found = known.select(**_expressions())
    return found.with_columns(text=packing.packed(*map(pl.col, model.READING)))


@cache
def _expressions() -> dict[str, pl.Expr]:
    """One for each of :data:`collector.model.READING`."""
    name, kind, rank = naming.peer()
    proxy = (
        (pl.col("component") == "proxy")
        | pl.col("upstream_cluster").is_not_null()
        | pl.col("node_id").is_not_null()
        | pl.col("in_mesh")
    ).fill_null(value=False)
    gateway, sidecar = (pl.col("node_id").str.starts_with(role) for role in ("router~", "sidecar~"))
    return {
        "kind": pl.col("kind"),
        "status": pl.col("status"),
        "protocol": naming.protocol(),
        "peer": name.fill_null(""),
        "peer_kind": kind,
        "peer_rank": rank,
        "destination": pl.col("destination"),
        "messaging": pl.col("messaging"),
        "peer_version": _if_present("upstream_version"),
        "failure": naming.failure(),
        "flags": _if_present("flags"),
        "proxy": proxy,
        "role": pl.when(gateway)
        .then(pl.lit("gateway"))
        .when(sidecar)
        .then(pl.lit("sidecar"))
        .otherwise(pl.lit("service")),
        "attempts": naming.number("attempts").fill_null(1).clip(1, 65535).cast(pl.UInt16),
        "resend": (naming.number("resend_count") > 0).fill_null(value=False),
        "weight": weights.weight("tracestate", _PROBABILITY),
        "peer_address": naming.peer_address(),
        "shared": pl.col("shared"),
        "timed": pl.col("timed"),
    }


def _if_present(name: str) -> pl.Expr:
    return pl.when(naming.present(pl.col(name))).then(pl.col(name)).otherwise(pl.lit(""))
