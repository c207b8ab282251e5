from __future__ import annotations

from proxy_plugin.envoy.status import Change, ProxyOutcome, PushResult, Rendering, Verdict

OUTCOME = ProxyOutcome("node", "shop/a", "v1", "a", "RDS")


def change(node_id: str, verdict: Verdict) -> Change:
    return Change(node_id, "shop/a", ("RDS",), f"diff of {node_id}", verdict)


def test_a_push_is_ok_when_nobody_refused_and_all_answered() -> None:
    assert PushResult(acked=(OUTCOME,)).ok
    assert PushResult(gone=(OUTCOME,)).ok
    assert not PushResult(nacked=(OUTCOME,)).ok
    assert not PushResult(pending=(OUTCOME,)).ok
    assert not PushResult(refused=("no",)).ok


def test_a_rendering_tells_each_refusal_once() -> None:
    no = Verdict(False, "no")
    rendering = Rendering(
        {}, {name: change(name, no) for name in ("a", "b")} | {"c": change("c", Verdict(True))}
    )
    assert not rendering.ok
    assert rendering.refusals() == ("no",)
    assert rendering.diffs()["c"] == "diff of c"
    assert Rendering().ok
