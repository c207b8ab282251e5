from __future__ import annotations

import pytest

from tests.web.ui.conftest import Console
from tests.web.ui.panel.world import TARGET, selected
from web.ui.panel.editor import FIELDS

pytestmark = pytest.mark.anyio


async def test_every_field_is_read_when_it_is_edited_and_when_it_is_planned(console: Console) -> None:
    callbacks = (await console.client.get("/ui/_dash-dependencies")).json()
    wanted = {f"{field}.{prop}" for field, prop in FIELDS.values()}
    edit = next(each for each in callbacks if "rule-split-words.children" in each["output"])
    plan = next(each for each in callbacks if any(i["id"] == "rule-plan" for i in each["inputs"]))
    assert {f"{i['id']}.{i['property']}" for i in edit["inputs"]} == wanted
    assert wanted < {f"{i['id']}.{i['property']}" for i in plan["state"]}


async def test_a_selection_becomes_a_panel_over_http(console: Console) -> None:
    """As the browser asks: the panel of an edge, with its editor."""
    callbacks = (await console.client.get("/ui/_dash-dependencies")).json()
    output = next(each["output"] for each in callbacks if "panel-detail.children" in each["output"])
    answer = await console.client.post(
        "/ui/_dash-update-component",
        json={
            "output": output,
            "outputs": [
                {"id": "panel-detail", "property": "children"},
                {"id": "rule-planned", "property": output.split("...")[1].strip(".").split(".", 1)[1]},
            ],
            "inputs": [{"id": "selection", "property": "data", "value": selected()}],
            "changedPropIds": ["selection.data"],
        },
    )
    assert answer.status_code == 200, answer.text
    assert "edge-error-rate" in answer.text
    assert "rule-abort-percent" in answer.text
    assert TARGET in str(answer.json())
