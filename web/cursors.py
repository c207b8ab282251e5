"""Opaque cursors of lists: where a page ended, bound to the question that the pages answer."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

import orjson

from web.problems import FieldError, Problem

_LONGEST: Final = 16_384


def written(question: object, place: Any) -> str:
    """A cursor to ``place`` (anything that JSON has) in the answer to ``question``, told apart by its ``repr``."""
    return base64.urlsafe_b64encode(orjson.dumps([_mark(question), place])).decode("ascii").rstrip("=")


def read(text: str, question: object) -> Any:
    """The place. Raises a 400 problem for what is no cursor, or one of another question."""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        mark, place = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error):
        raise wrong("is no cursor that this API gave") from None
    if mark != _mark(question):
        raise wrong("belongs to another question: ask again without it")
    return place


def wrong(message: str) -> Problem:
    """What is said of a cursor that cannot be used."""
    return Problem(
        400, "Invalid cursor", f"cursor {message}.", errors=[FieldError(field="cursor", message=message)]
    )


def _mark(question: object) -> str:
    return hashlib.blake2b(repr(question).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
