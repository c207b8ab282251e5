"""Who reported: what resources (and scopes) say of the service behind a span, record or point."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector import model, naming, packing
from collector.attributes import Attributes
from collector.distinct import distinct
from collector.memo import Ints, Memo

_KNOWN: Final = Memo()


def owners(lists: pa.ListArray, of_row: NDArray[Any]) -> pl.DataFrame:
    """What resources say of their owner, per row of ``of_row``.

    ``service`` (node id), ``version``, ``instance``, ``address``, ``telemetry``; "" where they say nothing.
    """
    said = _owners(Attributes(lists))
    return said[of_row] if len(of_row) else said.clear()


def reporters(
    resources: pa.ListArray, scopes: pa.StructArray, of_scope: NDArray[Any]
) -> tuple[pa.Table, Ints]:
    """The different reporters of scopes: resource and scope.

    Args:
        resources: their attributes.
        scopes: name, version and attributes of each.
        of_scope: the resource of each scope.

    Returns:
        Different rows of :data:`collector.model.REPORTER` and ``text``, as stored, and for each scope its row.
    """
    attributes = Attributes(resources)
    keys, values = attributes.keys(), attributes.values()
    names, more = pc.fill_null(pc.cast(scopes.field("name"), pa.string()), ""), _more(scopes)
    alike = distinct((attributes.shape, values), attributes.rows)[1]
    one, which = distinct((alike[of_scope], names, more), len(scopes))
    resource, name, rest = pa.array(of_scope[one]), names.take(pa.array(one)), more.take(pa.array(one))
    columns = (keys.take(resource), values.take(resource), name, rest)
    known = zip(*(c.to_pylist() for c in columns), strict=True)

    def made(new: Ints) -> pl.DataFrame:
        lists, said = (
            resources.take(pa.array(of_scope[one[new]])),
            (name.take(pa.array(new)), rest.take(pa.array(new))),
        )
        scope, pairs = (
            pl.Series(title, each, pl.String) for title, each in zip(("scope", "more"), said, strict=True)
        )
        return _reporters(Attributes(lists), scope, pairs)

    table, rows = _KNOWN.look_up(list(known), made)
    return table, rows[which]


def _more(scopes: pa.StructArray) -> pa.Array:
    """Version and attributes of each scope, as pairs that follow those of its resource; "" for most."""
    version = packing.escaped(pc.fill_null(pc.cast(scopes.field("version"), pa.string()), ""))
    if not len(scopes.field("attributes").flatten()) and not pc.max(pc.binary_length(version)).as_py():
        return pa.array(np.full(len(scopes), ""), pa.string())
    told = pc.binary_join_element_wise("", packing.SCOPE_VERSION, version, packing.UNIT)
    pairs = Attributes(scopes.field("attributes")).pairs(packing.SCOPE_KEY)
    return pc.binary_join_element_wise(pc.if_else(pc.equal(version, ""), "", told), pairs, "")


def _owners(attributes: Attributes) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "name": attributes.text("service.name"),
            "namespace": attributes.text("service.namespace", "k8s.namespace.name"),
            "version": attributes.text("service.version"),
            "instance": attributes.text("service.instance.id", "k8s.pod.name", "k8s.pod.ip", "host.ip"),
            "address": attributes.text("k8s.pod.ip", "host.ip"),
            "sdk": attributes.text("telemetry.sdk.name"),
            "distribution": attributes.text("telemetry.distro.name"),
        }
    ).cast(pl.String)
    named, zipkin = naming.present(pl.col("name")), pl.col("sdk") == naming.ZIPKIN
    # R5.5; a Zipkin span without a local service is nobody's (R11).
    name = pl.when(named).then("name").when(zipkin).then(pl.lit("")).otherwise(pl.lit("unknown_service"))
    return frame.with_columns(name=name).select(
        service=naming.service_id(pl.col("namespace"), pl.col("name")),
        version=pl.col("version").fill_null(""),
        instance=pl.col("instance").fill_null(""),
        address=pl.col("address").fill_null(""),
        telemetry=pl.concat_str(pl.col("sdk", "distribution").fill_null(""), separator=" ").str.strip_chars(),
    )


def _reporters(attributes: Attributes, scope: pl.Series, more: pl.Series) -> pl.DataFrame:
    silent = pl.col("telemetry") == ""
    found = _owners(attributes).with_columns(
        scope,
        more,
        pl.Series("pairs", attributes.pairs(), pl.String),
        telemetry=pl.when(silent).then(scope).otherwise("telemetry"),
    )
    text = pl.concat_str(packing.packed(*map(pl.col, model.REPORTER)), "pairs", "more")
    return found.select(*model.REPORTER, text=text)
