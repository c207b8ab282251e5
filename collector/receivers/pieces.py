"""A large export request as several smaller ones that say the same, so that others have their turn between them.

The decoder holds the interpreter while it works. All three requests have one shape: groups with a resource, in them
scopes, in them records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PIECE: Final = 1 << 20  # bytes, unless one record is larger

_OWNER: Final = 0x0A  # field 1 with a length: the resource of a group, the scope of a scope
_CHILDREN: Final = (0x0A, 0x12, 0x12)  # groups of a request, scopes of a group, records of a scope


def pieces(body: bytes, most: int = PIECE) -> Iterator[bytes]:
    """Requests of about ``most`` bytes; each names the resource and the scope of its records anew.

    Raises:
        ValueError: while iterating, the body is no protobuf message, or has its fields in an unusual order.
    """
    return _split(body, 0, len(body), 0, most)


def _split(data: bytes, start: int, end: int, level: int, most: int) -> Iterator[bytes]:
    header, pending, yielded = bytearray(), bytearray(), False
    for tag, at, begin, stop in _fields(data, start, end):
        if tag != _CHILDREN[level]:
            if tag == _OWNER and (pending or yielded):
                raise ValueError("a resource or scope comes after its records")
            if not pending and not yielded:
                header += data[at:stop]
            continue  # what comes behind is the schema's address, which is not kept
        large = stop - at > most and level + 1 < len(_CHILDREN)
        if pending and (large or len(pending) + stop - at > most):
            yield bytes(header + pending)
            pending.clear()
            yielded = True
        if large:
            for part in _split(data, begin, stop, level + 1, most):
                yield bytes(header) + bytes([tag]) + _varint(len(part)) + part
                yielded = True
        else:
            pending += data[at:stop]
    if pending or not yielded:
        yield bytes(header + pending)


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag of each field, where it starts, where its content starts, where it ends."""
    at = start
    while at < end:
        tag, begin = (data[at], at + 1) if data[at] < 0x80 else _number(data, at)
        kind = tag & 7
        if kind == 2:
            length, begin = (data[begin], begin + 1) if data[begin] < 0x80 else _number(data, begin)
            stop = begin + length
        elif kind == 0:
            stop = _number(data, begin)[1]
        elif kind in (1, 5):
            stop = begin + (8 if kind == 1 else 4)
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if stop > end:
            raise ValueError(f"a field that starts at byte {at} ends behind the message")
        yield tag, at, begin, stop
        at = stop


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError(f"a number before byte {at} does not end")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
