"""R6: what a messaging span says of itself."""

from __future__ import annotations

from tests.reference.spans import Span


def operation(span: Span) -> str:
    return span.text("messaging.operation.type", "messaging.operation")


def receives(span: Span) -> bool:
    """R6.6: "CLIENT spans of type receive or settle are calls to the broker"."""
    return span.kind == "C" and operation(span) in ("receive", "settle")


def produces(span: Span) -> bool:
    """R6.1: "PRODUCER, or CLIENT with operation type create, send, publish"."""
    return span.kind == "P" or (span.kind == "C" and operation(span) in ("create", "send", "publish"))


def creates(span: Span) -> bool:
    return produces(span) and operation(span) == "create"


def sends(span: Span) -> bool:
    return produces(span) and not creates(span)


def destination(span: Span) -> str:
    """R6.5: "`system:destination` (…; the template if temporary)"; "" unless both are stated.

    Clarified: a temporary one without template is `system:(temporary)`: ids never enter a name (R5.1).
    """
    system, name = (
        span.text("messaging.system"),
        span.text("messaging.destination.name", "messaging.destination"),
    )
    if not system or not name:
        return ""
    if span.text("messaging.destination.temporary") == "true":
        name = span.text("messaging.destination.template") or "(temporary)"
    return f"{system}:{name}"
