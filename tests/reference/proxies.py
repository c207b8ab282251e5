"""R7.1: which spans are a proxy's."""

from __future__ import annotations

from tests.reference.spans import Span, as_text

MARKS = ("upstream_cluster", "upstream_cluster.name", "node_id", "guid:x-request-id")
MAKERS = ("envoy", "istio", "linkerd")


def is_proxy(span: Span) -> bool:
    """R7.1: "`component=proxy`, `upstream_cluster`(`.name`), `node_id`, `guid:x-request-id`, `istio.*`, or a resource
    that names a proxy".

    Clarified: a resource names one by `telemetry.sdk.name` or `telemetry.distro.name`.
    """
    if span.text("component") == "proxy" or any(span.text(mark) for mark in MARKS):
        return True
    if any(name.startswith("istio.") for name in span.attributes):
        return True
    makers = (as_text(span.resource.get(f"telemetry.{part}.name")).lower() for part in ("sdk", "distro"))
    return any(maker.startswith(MAKERS) for maker in makers)


def is_sidecar(span: Span) -> bool:
    """R7.4: "its `node_id` begins with `sidecar~`"."""
    return is_proxy(span) and span.text("node_id").startswith("sidecar~")
