"""When two names mean one target (semantics R2.3)."""

from __future__ import annotations

import polars as pl

from collector.walk import Bools


def contradict(inner: pl.DataFrame, outer: pl.DataFrame) -> Bools:
    """Row by row: both name a target, and the names disagree.

    Names agree when they are equal or when one merely says less: a host without its port, or a database by its
    system (and namespace) only.

    Args:
        inner: columns ``peer`` and ``protocol`` of calling spans.
        outer: the same of the spans that they are nested in.
    """
    both = pl.DataFrame(
        {"a": inner["peer"], "b": outer["peer"], "a_system": inner["protocol"], "b_system": outer["protocol"]}
    )
    a, b = pl.col("a"), pl.col("b")
    agree = (
        (a == b)
        | _says_less(a, b)
        | _says_less(b, a)
        | _names_system(a, "b_system")
        | _names_system(b, "a_system")
    )
    found: Bools = both.select(x=(a != "") & (b != "") & ~agree)["x"].to_numpy()
    return found


def _says_less(name: pl.Expr, other: pl.Expr) -> pl.Expr:
    return other.str.starts_with(pl.concat_str(name, pl.lit(":")))


def _names_system(name: pl.Expr, system: str) -> pl.Expr:
    known = pl.col(system) != ""
    return known & (
        (name == pl.col(system)) | name.str.starts_with(pl.concat_str(pl.col(system), pl.lit("/")))
    )
