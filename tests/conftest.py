"""Fixtures of more than one folder of tests."""

from __future__ import annotations

import os

from hypothesis import settings

from proxy_plugin.envoy import ports

pytest_plugins = ("tests.databases",)

# Between choosing a port and listening there nobody holds it: each process of the tests has its own to choose from, and
# none of those that programs which the tests start choose from.
_worker, _workers = (
    os.environ.get("PYTEST_XDIST_WORKER", "gw0"),
    os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"),
)
ports.RANGE = range(10000, 17000)[int(_worker.removeprefix("gw")) :: int(_workers)]

# No test looks at a clock. Hypothesis would: by default an example that takes 200 ms fails.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
