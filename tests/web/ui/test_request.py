from __future__ import annotations

import pytest

from tests.web.ui.panel.test_callbacks import requested_by
from web.auth import NOBODY, OPERATOR, actor
from web.problems import Problem
from web.ui.request import writer


def test_the_audit_log_gets_the_name_of_who_is_signed_in() -> None:
    with requested_by(actor(OPERATOR, "session")):
        assert writer() == OPERATOR


def test_who_may_not_write_is_refused() -> None:
    with requested_by(NOBODY), pytest.raises(Problem) as refusal:
        writer()
    assert refusal.value.status == 403
