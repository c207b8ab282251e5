"""Fixtures of more than one folder of tests."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ("tests.databases",)

# No test looks at a clock. Hypothesis would: by default an example that takes 200 ms fails.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
