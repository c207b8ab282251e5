"""One server for all tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.world import World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with data in it; ends with the module, or it would run beside all tests that follow."""
    with running(tmp_path_factory.mktemp("contract") / "data") as found:
        yield found
