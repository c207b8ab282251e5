from __future__ import annotations

import re
from pathlib import Path

import pytest

import web.ui
from tests.web.ui.conftest import Console, Wired
from tests.web.ui.tree import find, having, properties, text, walk
from web.listen import Ports
from web.settings import Settings
from web.ui.pages.graph import layout
from web.ui.shell import RANGES

SCRIPTS = "\n".join(path.read_text() for path in (Path(web.ui.__file__).parent / "assets/js").glob("*.js"))
pytestmark = pytest.mark.anyio


async def test_it_has_what_the_scripts_look_for(console: Console, parts: Wired) -> None:
    assert console.app is not None
    ids = {getattr(part, "id", None) for part in walk(layout(parts))}
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


async def test_ranges_are_offered_in_seconds(console: Console, parts: Wired) -> None:
    assert console.app is not None
    options = find(layout(parts), "range").children
    assert [option.value for option in options] == [str(seconds) for seconds, _ in RANGES]
    assert [option.value for option in options] == ["10", "30", "60", "300", "900"]


async def test_an_empty_graph_says_what_to_do(console: Console, parts: Wired) -> None:
    assert console.app is not None
    words = text(find(layout(parts), "graph-empty").children)
    assert "meshscope sidecar" in words
    assert "http://localhost:4318" in words
    assert "OTLP/gRPC at 4317" in words
    assert "--control" not in words


async def test_an_empty_graph_names_the_ports_of_this_server(console: Console, parts: Wired) -> None:
    assert console.app is not None
    parts.settings, parts.ports = Settings(otlp_http_port=0), Ports(1, 20002, 20003, 20004)
    words = text(find(layout(parts), "graph-empty").children)
    assert "--control 127.0.0.1:20004" in words
    assert "--telemetry 127.0.0.1:20002" in words
    assert "http://localhost:20003" in words


async def test_the_drawing_is_named_for_screen_readers(console: Console, parts: Wired) -> None:
    assert console.app is not None
    mesh = properties(find(layout(parts), "mesh"))
    assert mesh["role"] == "application"
    assert "Arrow keys" in mesh["aria-label"]


def test_card_sizes_agree_with_the_layout() -> None:
    from web.layout.topology import CARD_HEIGHT, CARD_WIDTH

    found = re.search(r"CARD = \{ width: (\d+), height: (\d+) \}", SCRIPTS)
    assert found is not None
    assert (float(found[1]), float(found[2])) == (CARD_WIDTH, CARD_HEIGHT)


async def test_switches_of_the_view_say_what_is_usual(console: Console, parts: Wired) -> None:
    """As 48-view.js has it."""
    assert console.app is not None
    buttons = [properties(part) for part in having(layout(parts), "data-view")]
    usual = {"true": "expanded", "false": "collapsed"}
    said = ", ".join(f'{each["data-view"]}: "{usual[each["aria-pressed"]]}"' for each in buttons)
    assert f"const USUAL = {{ {said} }}" in SCRIPTS
