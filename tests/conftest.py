"""Fixtures of more than one folder of tests."""

from __future__ import annotations

pytest_plugins = ("tests.databases",)
