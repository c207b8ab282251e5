from __future__ import annotations

import re
from pathlib import Path

import web.ui
from tests.web.ui.tree import properties
from web.ui.icons import icon
from web.ui.pages.catalogue import PAGES

ROOT = Path(web.ui.__file__).parent
DRAWN = set(re.findall(r"^\.i-([a-z-]+) \{", (ROOT / "assets/css/05-icons.css").read_text(), re.M))


def used() -> set[str]:
    """Names of icons in the code of the pages and in what the scripts draw."""
    python = "\n".join(path.read_text() for path in ROOT.rglob("*.py"))
    scripts = "\n".join(path.read_text() for path in ROOT.rglob("*.js"))
    return (
        set(re.findall(r'icon\("([a-z-]+)"', python))
        | set(re.findall(r"\bi-([a-z-]+)", scripts))
        | {page.icon for page in PAGES}
    )


def test_every_icon_that_is_used_is_drawn() -> None:
    assert used() - DRAWN == set()


def test_an_icon_is_decoration_for_a_screen_reader() -> None:
    assert properties(icon("check"))["aria-hidden"] == "true"
