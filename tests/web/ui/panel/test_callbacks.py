from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dash import no_update
from dash.backends import _fastapi as backend
from starlette.requests import Request

from tests.web.mesh import Mesh
from tests.web.ui.conftest import Wired
from tests.web.ui.panel.test_editor import values
from tests.web.ui.panel.world import SOURCE, TARGET, selected
from tests.web.ui.tree import find, having, properties, text
from web.auth import NOBODY, OPERATOR, Actor, actor
from web.ui.panel.callbacks import CHANGED, PLANNED, UNGOVERNED, PanelCallbacks
from web.ui.panel.editor import FAULT_FIELDS
from web.ui.panel.policy import EMPTY

pytestmark = pytest.mark.anyio


@pytest.fixture
def panel(parts: Wired) -> PanelCallbacks:
    return PanelCallbacks(parts)


@contextmanager
def requested_by(who: Actor) -> Iterator[None]:
    """As if Dash had a request of `who` at hand."""
    enter: Callable[[Request], Any] = backend.set_current_request
    leave: Callable[[Any], None] = backend.reset_current_request
    token = enter(Request({"type": "http", "headers": [], "state": {"actor": who}}))
    yield
    leave(token)


@pytest.fixture
def signed_in() -> Iterator[None]:
    with requested_by(actor(OPERATOR, "session")):
        yield


async def edited(panel: PanelCallbacks, **changes: Any) -> dict[str, Any]:
    """The fields of the edge's editor, with some filled in."""
    content, _ = await panel.select(selected())
    return values(content) | changes


async def put_in_force(panel: PanelCallbacks, **changes: Any) -> Any:
    fields = await edited(panel, **changes)
    _, planned, *_ = await panel.plan(1, selected(), fields)
    return await panel.apply(1, planned, 0)


async def test_an_edge_opens_with_figures_rules_and_editor(panel: PanelCallbacks) -> None:
    content, planned = await panel.select(selected())
    assert planned is None
    assert find(content, "edge-error-rate").children == "8.0 %"
    assert EMPTY in text(find(content, "panel-policy"))
    assert "Timeout15s" in text(find(content, "panel-policy"))
    assert find(content, "rule-apply").disabled
    assert not find(content, "rule-split-field").hidden  # payments has v1 and v2


async def test_nothing_selected_empties_the_panel(panel: PanelCallbacks) -> None:
    assert await panel.select(None) == (None, None)


@pytest.mark.parametrize("ends", [{"source": "user"}, {"target": "postgres:5432"}])
async def test_calls_that_no_proxy_makes_have_no_editor(panel: PanelCallbacks, ends: dict[str, str]) -> None:
    content, _ = await panel.select(selected(**ends))
    assert having(content, "data-rule") == []
    assert having(content, "data-scroll") == []
    assert UNGOVERNED in text(content)


async def test_a_plan_allows_to_apply_exactly_itself(panel: PanelCallbacks) -> None:
    fields = await edited(panel, timeout_ms=1500)
    shown, planned, disabled, _, hint = await panel.plan(1, selected(), fields)
    assert "+timeout: 1500ms" in text(shown)
    assert [properties(row)["data-proxy"] for row in having(shown, "data-proxy")] == [
        "sidecar~127.0.0.1~checkout-1.shop~mesh.local"
    ]
    assert (disabled, hint) == (False, PLANNED)
    assert await panel.edit(fields, selected(), planned) == (
        False,
        PLANNED,
        "Off: every instance gets its share.",
    )
    assert (await panel.edit(fields | {"timeout_ms": 1600}, selected(), planned))[:2] == (True, CHANGED)


async def test_a_bad_draft_cannot_be_applied(panel: PanelCallbacks) -> None:
    fields = await edited(panel, abort_percent=10, lease="")
    shown, planned, disabled, *_ = await panel.plan(1, selected(), fields)
    assert "lease" in text(shown)
    assert (planned, disabled) == (None, True)


@pytest.mark.usefixtures("signed_in")
async def test_applying_reaches_the_proxies_and_says_so(panel: PanelCallbacks, mesh: Mesh) -> None:
    _, outcome, planned, changes, _ = await put_in_force(panel, timeout_ms=1500)
    assert "Rule checkout-to-payments is on (revision 1)." in text(outcome)
    assert [properties(row)["data-state"] for row in having(outcome, "data-proxy")] == ["acknowledged"]
    assert (planned, changes) == (None, 1)
    assert "1.500s" in mesh.checkout.rules() or "1.5s" in mesh.checkout.rules()


@pytest.mark.usefixtures("signed_in")
async def test_a_rejection_shows_the_proxys_words(panel: PanelCallbacks, mesh: Mesh) -> None:
    mesh.checkout.behaviour = "nack"
    _, outcome, *_ = await put_in_force(panel, timeout_ms=1500)
    assert mesh.checkout.WORDS in text(outcome)


@pytest.mark.usefixtures("signed_in")
async def test_what_somebody_else_changed_is_not_overwritten(panel: PanelCallbacks, parts: Wired) -> None:
    _, planned, *_ = await panel.plan(1, selected(), await edited(panel, timeout_ms=1500))
    theirs = {
        "name": "checkout-to-payments",
        "target": {"service": TARGET, "from": [SOURCE]},
        "timeout": "9s",
    }
    await parts.publisher.apply(theirs, actor="somebody")
    _, outcome, *_ = await panel.apply(1, planned, 0)
    assert "Changed by somebody else" in text(outcome)
    assert (await parts.publisher.get("checkout-to-payments")).document["timeout"] == "9s"


@pytest.mark.usefixtures("signed_in")
async def test_switching_off_needs_no_plan(panel: PanelCallbacks, parts: Wired) -> None:
    await put_in_force(panel, timeout_ms=1500)
    assert (await panel.refresh(1, selected()))[1] is False
    (_, outcome, *_), emptied = await panel.switch_off(1, selected(), 1)
    assert emptied == ("", "", "")
    assert "is off (revision 2)" in text(outcome)
    assert not (await parts.publisher.get("checkout-to-payments")).enabled
    policy, hidden, state = await panel.refresh(2, selected())
    assert EMPTY in text(policy)
    assert hidden
    assert "offrevision 2" in text(state)


@pytest.mark.usefixtures("signed_in")
async def test_a_fault_that_was_switched_off_does_not_come_back_with_a_timeout(
    panel: PanelCallbacks, parts: Wired
) -> None:
    """Neither from the open form nor from the one that opens later."""
    form = await edited(panel, abort_percent=100, lease="15m")
    _, planned, *_ = await panel.plan(1, selected(), form)
    await panel.apply(1, planned, 0)
    _, emptied = await panel.switch_off(1, selected(), 1)
    still_open = form | dict(zip(FAULT_FIELDS, emptied, strict=True))
    for fields in (still_open, await edited(panel)):
        _, planned, *_ = await panel.plan(1, selected(), fields | {"timeout_ms": 1500})
        assert planned["draft"]["enabled"]
        assert "fault" not in planned["draft"]


@pytest.mark.usefixtures("signed_in")
async def test_what_could_not_be_switched_off_stays_in_the_form(panel: PanelCallbacks, mesh: Mesh) -> None:
    await put_in_force(panel, abort_percent=100, lease="15m")
    with requested_by(NOBODY):
        (_, outcome, *_), emptied = await panel.switch_off(1, selected(), 1)
    assert "Not permitted" in text(outcome)
    assert emptied == (no_update,) * 3


async def test_who_may_not_write_is_told_so(panel: PanelCallbacks, parts: Wired) -> None:
    with requested_by(NOBODY):
        _, outcome, *_ = await put_in_force(panel, timeout_ms=1500)
    assert "Not permitted" in text(outcome)
    assert await parts.publisher.policies() == []


async def test_a_page_that_only_loads_does_nothing(panel: PanelCallbacks) -> None:
    """Dash calls back with 0 clicks when the panel is drawn."""
    assert await panel.apply(0, {"draft": {}, "revision": 0}, 0) == (no_update,) * 5
    assert await panel.switch_off(0, selected(), 0) == ((no_update,) * 5, (no_update,) * 3)
    assert (await panel.plan(0, selected(), {}))[0] is no_update
