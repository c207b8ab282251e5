"""When two names mean one target (semantics R2.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector.distinct import distinct
from collector.walk import Bools


def contradict(facts: pl.DataFrame, inner: NDArray[Any], outer: NDArray[Any]) -> Bools:
    """Row by row: both name a target, and the names disagree.

    Names agree when they are equal or when one merely says less: a host without its port, a service without its
    namespace (``ns/x`` or ``x.ns[.svc…]``), or a database by its system (and namespace) only. They are compared as
    they are stated: who else there is may become known later.

    Args:
        facts: columns ``peer`` and ``protocol``.
        inner: the facts of calling spans.
        outer: those of the spans that they are nested in.
    """
    one, which = distinct((inner, outer), len(inner))
    if not len(one):
        return np.zeros(0, dtype=bool)
    inside, outside = facts[inner[one]], facts[outer[one]]
    both = pl.DataFrame(
        {
            "a": inside["peer"],
            "b": outside["peer"],
            "a_system": inside["protocol"],
            "b_system": outside["protocol"],
        }
    )
    a, b = pl.col("a"), pl.col("b")
    agree = _same("a", "b") | _names_system(a, "b_system") | _names_system(b, "a_system")
    found: Bools = both.select(x=(a != "") & (b != "") & ~agree)["x"].to_numpy()[which]
    return found


def same(one: pl.Series, other: pl.Series) -> Bools:
    """Row by row: two names that mean one target."""
    found: Bools = pl.DataFrame({"a": one, "b": other}).select(x=_same("a", "b"))["x"].to_numpy()
    return found


def _same(one: str, other: str) -> pl.Expr:
    a, b = _parts(one), _parts(other)
    less = [(x == "") | (y == "") | (x == y) for x, y in zip(a[1:], b[1:], strict=True)]
    return (pl.col(one) == pl.col(other)) | ((a[0] == b[0]) & less[0] & less[1])


def _parts(name: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Short name, namespace and port of a name; an IPv6 address keeps its colons."""
    single = pl.col(name).str.count_matches(":", literal=True) == 1
    stated = pl.col(name).str.extract(r":(\d{1,5})$", 1)
    port = pl.when(single).then(stated).fill_null("")
    host = pl.when(port != "").then(pl.col(name).str.replace(r":\d{1,5}$", "")).otherwise(pl.col(name))
    kubernetes = host.str.contains(r"^[^./]*\.[^./]*(?:\.svc(?:\.[^/]*)?)?$")
    short = (
        pl.when(kubernetes).then(host.str.extract(r"^([^.]*)", 1)).otherwise(host.str.extract(r"([^/]*)$", 1))
    )
    of_host = pl.when(kubernetes).then(host.str.extract(r"^[^.]*\.([^.]*)", 1))
    return short, of_host.otherwise(host.str.extract(r"^(.*)/[^/]*$", 1).fill_null("")), port


def _names_system(name: pl.Expr, system: str) -> pl.Expr:
    known = pl.col(system) != ""
    return known & (
        (name == pl.col(system)) | name.str.starts_with(pl.concat_str(pl.col(system), pl.lit("/")))
    )
