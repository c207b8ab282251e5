"""What a proxy may say about itself: names, ports, an address. Anybody can connect and say anything.

Each function takes one fact out of the node metadata; ValueError names the fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

MOST_UPSTREAMS = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_PREFIX = re.compile(r"/[^\s?#\x00-\x1f\x7f-\x9f]{0,999}")


def name(facts: Mapping[str, Any], key: str, most: int = 100) -> str:
    """A name of letters, digits, dots, dashes and underscores."""
    value = facts[key]
    if not isinstance(value, str) or len(value) > most or not is_name(value):
        raise ValueError(f"{key} {shown(value)} is not a name of at most {most} letters, digits and .-_")
    return value


def namespace(facts: Mapping[str, Any], key: str) -> str:
    """A name, or nothing."""
    return "" if facts[key] == "" else name(facts, key)


def port(facts: Mapping[str, Any], key: str) -> int:
    """0 to 65535. The numbers of a protobuf Struct are floats."""
    value = facts[key]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 65535 or value != int(value):
        raise ValueError(f"{key} {shown(value)} is not a port")
    return int(value)


def address(facts: Mapping[str, Any], key: str) -> str:
    """An IP address."""
    try:
        return str(ip_address(str(facts[key])[:60]))
    except ValueError:
        raise ValueError(f"{key} {shown(facts[key])} is not an IP address") from None


def upstreams(facts: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Texts; what each means is for `Upstream.parse` to say."""
    value = facts[key]
    if not isinstance(value, list) or len(value) > MOST_UPSTREAMS:
        raise ValueError(f"{key} is not a list of at most {MOST_UPSTREAMS}")
    for text in value:
        if not isinstance(text, str) or len(text) > 1500:
            raise ValueError(f"{key} has {shown(text)}, which is no short text")
    return tuple(value)


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """A host name or an IP address."""
    if _HOST.fullmatch(text):
        return ".." not in text
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_prefix(text: str) -> bool:
    """A path, as the prefix of others."""
    return _PREFIX.fullmatch(text) is not None


def shown(value: object) -> str:
    """A stranger's value, short and printable."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
