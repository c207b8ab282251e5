from __future__ import annotations

import re
from pathlib import Path

import pytest

import web.ui
from tests.web.ui.conftest import Console
from tests.web.ui.tree import find, properties, text, walk
from web.ui.pages.graph import layout
from web.ui.shell import RANGES

SCRIPTS = "\n".join(path.read_text() for path in (Path(web.ui.__file__).parent / "assets/js").glob("*.js"))
pytestmark = pytest.mark.anyio


async def test_it_has_what_the_scripts_look_for(console: Console) -> None:
    assert console.app is not None
    ids = {getattr(part, "id", None) for part in walk(layout(4318, 4317))}
    wanted = {
        "mesh",
        "find",
        "graph-table",
        "graph-empty",
        "graph-count",
        "stale-banner",
        "stale-words",
        "panel",
    }
    assert wanted | {"panel-summary", "panel-detail", "range", "live", "data-age", "tidy"} <= ids
    assert all(f'"{name}"' in SCRIPTS or f"#{name}" in SCRIPTS for name in wanted)


async def test_ranges_are_offered_in_seconds(console: Console) -> None:
    assert console.app is not None
    options = find(layout(4318, 4317), "range").children
    assert [option.value for option in options] == [str(seconds) for seconds, _ in RANGES]
    assert [option.value for option in options] == ["10", "30", "60", "300", "900"]


async def test_an_empty_graph_says_what_to_do(console: Console) -> None:
    assert console.app is not None
    words = text(find(layout(4318, 4317), "graph-empty").children)
    assert "meshscope sidecar" in words
    assert "http://localhost:4318" in words
    assert "OTLP/gRPC at 4317" in words


async def test_the_drawing_is_named_for_screen_readers(console: Console) -> None:
    assert console.app is not None
    mesh = properties(find(layout(4318, 4317), "mesh"))
    assert mesh["role"] == "application"
    assert "Arrow keys" in mesh["aria-label"]


def test_card_sizes_agree_with_the_layout() -> None:
    from web.ui.layout.topology import CARD_HEIGHT, CARD_WIDTH

    found = re.search(r"CARD = \{ width: (\d+), height: (\d+) \}", SCRIPTS)
    assert found is not None
    assert (float(found[1]), float(found[2])) == (CARD_WIDTH, CARD_HEIGHT)
