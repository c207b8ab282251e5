"""Parts of a manifest that somebody else wrote: of the kind that they should be, or CannotSayError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy_plugin.gateway_api.translation import CannotSayError


def get(document: Mapping[str, Any], part: str, key: str) -> Any:
    return mapping(document.get(part), part).get(key)


def mapping(part: object, where: str) -> Mapping[str, Any]:
    """Nothing is an empty one."""
    if not isinstance(part, Mapping | None):
        raise CannotSayError(where, "It is not a mapping.")
    return part or {}


def items(part: Mapping[str, Any], where: str, key: str) -> list[Mapping[str, Any]]:
    """A list of mappings; nothing is an empty one."""
    found = part.get(key) or []
    if not isinstance(found, list):
        raise CannotSayError(f"{where}.{key}", "It is not a list.")
    return [mapping(each, f"{where}.{key}") for each in found]


def number(part: Mapping[str, Any], where: str, key: str, default: int) -> int:
    """From 0 to 1,000,000, as Gateway API has weights."""
    value = part.get(key, default)
    if type(value) is not int or not 0 <= value <= 1_000_000:
        raise CannotSayError(f"{where}.{key}", "It is not a number from 0 to 1000000.")
    return value


def only(part: Mapping[str, Any], where: str, *known: str) -> None:
    if unknown := [str(key) for key in part if key not in known]:
        raise CannotSayError(f"{where}.{unknown[0]}", f"{unknown[0]} cannot be said here.")
