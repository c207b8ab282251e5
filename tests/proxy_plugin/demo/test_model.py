"""Routes match paths; delays keep their shape; a service knows whom it calls."""

from __future__ import annotations

import random
from statistics import median

import pytest

from proxy_plugin.demo.model import Call, Delay, Route, Service, Together, Work


@pytest.mark.parametrize(
    ("method", "path", "matches"),
    [
        ("GET", "/products/17", True),
        ("GET", "/products/17?q=1", True),
        ("GET", "/products/{id}", True),
        ("POST", "/products/17", False),
        ("GET", "/products", False),
        ("GET", "/products/17/reviews", False),
        ("GET", "/orders/17", False),
    ],
)
def test_a_route_matches_its_method_and_template(method: str, path: str, matches: bool) -> None:
    assert Route("GET", "/products/{id}", ()).matches(method, path) is matches


def test_a_delay_is_log_normal_inside_its_bounds() -> None:
    rng = random.Random(7)  # noqa: S311 - dice
    samples = [Delay(179, 0.35, low=80, high=400).sample(rng) for _ in range(4000)]
    assert min(samples) == 80  # about 1 % on each side are held at the bound
    assert max(samples) == 400
    # The median's standard error is 1.25 · 0.35 · 179 / sqrt(4000) = 1.2 ms.
    assert median(samples) == pytest.approx(179, abs=6)


def test_targets_are_found_inside_steps_that_run_together() -> None:
    service = Service(
        "web",
        "shop",
        (
            Route(
                "GET", "/", (Work(Delay(1)), Together((Call("shop/b", "/"), Together((Call("c:1", "/"),)))))
            ),
            Route("GET", "/again", (Call("shop/b", "/"),)),
        ),
    )
    assert service.id == "shop/web"
    assert service.targets == ("c:1", "shop/b")
