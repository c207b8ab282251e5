from __future__ import annotations

from tests.web.ui.panel.world import edge, selected
from tests.web.ui.tree import find, having, kind, properties, text
from web.ui.flags import RESPONSE_FLAGS
from web.ui.panel.edge import edge_figures


def test_it_tells_both_sides_side_by_side() -> None:
    panel = edge_figures(selected(), [])
    shown = {side: find(panel, f"edge-{side}-calls").children for side in ("client", "server")}
    assert shown == {"client": "100", "server": "96"}
    assert find(panel, "edge-client-p95").children == "30 ms"
    assert find(panel, "edge-server-p95").children == "–"


def test_a_side_without_calls_was_not_seen() -> None:
    unseen = edge(server={"calls": 0.0, "failed": 0.0, "latency_ms": None})
    assert find(edge_figures(selected(edge=unseen), []), "edge-server-calls").children == "not seen"


def test_the_error_share_takes_the_tone_of_the_edge() -> None:
    share = properties(find(edge_figures(selected(), []), "edge-error-rate"))
    assert (share["children"], share["data-health"]) == ("8.0 %", "bad")


def test_flags_are_explained_and_only_those_that_were_seen_are_shown() -> None:
    flags = find(edge_figures(selected(), []), "edge-flags")
    assert RESPONSE_FLAGS["UT"] in text(flags)
    assert RESPONSE_FLAGS["UO"] not in text(flags)
    assert len(having(flags, "data-live")) == len(RESPONSE_FLAGS)  # the others may come


def test_failures_are_counted_by_class() -> None:
    failures = text(find(edge_figures(selected(), []), "edge-failures"))
    assert "Timeout4" in failures
    assert "Client error" not in failures


def test_versions_are_shown_where_there_are_several() -> None:
    table = find(edge_figures(selected(), ["v1", "v2"]), "edge-versions")
    assert text(kind(table, "Tr")[1]) == "v190831 ms"
    assert text(kind(table, "Tr")[2]) == "v2–––"
    assert "Versions" not in text(edge_figures(selected(), ["v1"]))


def test_the_circuit_is_said_in_words() -> None:
    chip = find(edge_figures(selected(), []), "edge-breaker")
    assert "Circuit open" in text(chip)
    assert properties(chip)["data-state"] == "open"
    unknown = find(edge_figures(selected(edge=edge(breaker=None)), []), "edge-breaker")
    assert properties(unknown)["data-state"] == "unknown"


def test_unknown_mtls_is_not_claimed_either_way() -> None:
    assert "mTLS" not in text(edge_figures(selected(), []))
    assert "no mTLS" in text(edge_figures(selected(edge=edge(mtls=False)), []))


def test_a_silent_edge_has_a_panel_too() -> None:
    panel = edge_figures(selected(edge=None), ["v1", "v2"])
    assert find(panel, "edge-error-rate").children == "–"
    assert find(panel, "edge-client-calls").children == "not seen"


def test_messages_tell_how_long_they_waited() -> None:
    waited = edge(wait_ms={"p50": 250.0, "p95": 1500.0, "p99": 2000.0}, negative_wait=2.0)
    waits = text(find(edge_figures(selected(kind="messaging", edge=waited), []), "edge-waits"))
    for part in ("p50250 ms", "p951.50 s", "p992.00 s", "by the clocks2"):
        assert part in waits
    unseen = edge(wait_ms=None, negative_wait=0.0)
    assert "p50–" in text(find(edge_figures(selected(kind="messaging", edge=unseen), []), "edge-waits"))
    assert "waited" not in text(edge_figures(selected(edge=unseen), []))
