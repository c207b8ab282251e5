"""When two names mean one target (semantics R2.3)."""

from __future__ import annotations

import polars as pl

from collector.walk import Bools


def contradict(inner: pl.DataFrame, outer: pl.DataFrame) -> Bools:
    """Row by row: both name a target, and the names disagree.

    Names agree when they are equal or when one merely says less: a host without its port, a service without its
    namespace (``ns/x`` or ``x.ns[.svc…]``), or a database by its system (and namespace) only. They are compared as
    they are stated: who else there is may become known later.

    Args:
        inner: columns ``peer`` and ``protocol`` of calling spans.
        outer: the same of the spans that they are nested in.
    """
    both = pl.DataFrame(
        {"a": inner["peer"], "b": outer["peer"], "a_system": inner["protocol"], "b_system": outer["protocol"]}
    )
    a, b = pl.col("a"), pl.col("b")
    agree = _same("a", "b") | _names_system(a, "b_system") | _names_system(b, "a_system")
    found: Bools = both.select(x=(a != "") & (b != "") & ~agree)["x"].to_numpy()
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
