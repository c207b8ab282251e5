from __future__ import annotations

import pytest
from playwright.sync_api import Page

POINTS = [[0, 0], [50, 100], [50, 200]]


def test_a_path_runs_from_its_first_to_its_last_point(page: Page) -> None:
    ends = """(points) => {
        const path = meshui.geometry.path(points, false);
        return [0, 1].map((share) => meshui.geometry.pointAt(path, share));
    }"""
    first, last = page.evaluate(ends, POINTS)
    assert first == pytest.approx([0, 0], abs=0.1)
    assert last == pytest.approx([50, 200], abs=0.1)


def test_distance_is_zero_on_the_path_and_grows_beside_it(page: Page) -> None:
    script = "([points, x, y]) => meshui.geometry.distance(meshui.geometry.path(points, false), x, y)"
    assert page.evaluate(script, [POINTS, 50, 150]) == pytest.approx(0, abs=0.5)
    assert page.evaluate(script, [POINTS, 80, 150]) == pytest.approx(30, abs=0.5)


def test_an_edge_within_a_row_dips_below_it(page: Page) -> None:
    data = page.evaluate("meshui.geometry.data(meshui.geometry.path([[0, 52], [300, 52]], false))")
    assert data == "M0,52C0,96 300,96 300,52"


def test_labels_avoid_what_is_taken(page: Page) -> None:
    script = """(points) => {
        const path = meshui.geometry.path(points, false);
        const places = new meshui.geometry.Places([[50, 100, 60, 60]]);
        return [1, 2].map(() => places.take(path, 20, 20, [0.5, 0.9, 0.1]));
    }"""
    first, second = page.evaluate(script, POINTS)
    assert first["covered"] == second["covered"] == 0
    assert first != second
