from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import users
from store.engines import reads, writes

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)


def test_a_token_is_found_by_what_was_presented(engine: Engine) -> None:
    with writes(engine).begin() as session:
        users.add_token(session, "ci", "secret", NOW)
        users.touch_token(session, "ci", LATER)
    with reads(engine)() as session:
        assert users.token(session, "secret") == users.ApiToken("ci", NOW, LATER)
        assert users.token(session, "secret ") is None
        assert users.token(session, "") is None
        assert users.token(session, "\ud800\x00' OR 1=1") is None
        assert [token.name for token in users.tokens(session)] == ["ci"]


def test_secrets_are_not_stored(control: Engine) -> None:
    with writes(control).begin() as session:
        users.add_token(session, "ci", "geheim-1", NOW)
        users.add_session(session, "geheim-2", "ann", NOW, LATER)
        users.add_link(session, "geheim-3", NOW, LATER)
    with control.connect() as connection:
        dump = "".join(
            str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())  # noqa: S608
            for table in ("api_tokens", "sessions", "login_tokens")
        )
    assert "ci" in dump
    assert "geheim" not in dump


def test_a_name_is_given_once_until_it_is_revoked(engine: Engine) -> None:
    with writes(engine).begin() as session:
        users.add_token(session, "ci", "one", NOW)
    with pytest.raises(users.TokenExistsError), writes(engine).begin() as session:
        users.add_token(session, "ci", "two", NOW)
    with writes(engine).begin() as session:
        assert users.remove_token(session, "ci")
        assert not users.remove_token(session, "ci")
    with reads(engine)() as session:
        assert users.token(session, "one") is None


def test_a_session_lives_until_it_expires(engine: Engine) -> None:
    with writes(engine).begin() as session:
        users.add_session(session, "s", "ann", NOW, LATER)
    with reads(engine)() as session:
        assert users.live_session(session, "s", NOW) == users.StoredSession("ann", LATER)
        assert users.live_session(session, "s", LATER) is None
        assert users.live_session(session, "t", NOW) is None
    with writes(engine).begin() as session:
        users.extend_session(session, "s", LATER + timedelta(hours=1))
    with reads(engine)() as session:
        assert users.live_session(session, "s", LATER) is not None
    with writes(engine).begin() as session:
        assert users.remove_session(session, "s")
        assert not users.remove_session(session, "s")


def test_expired_sessions_and_links_are_swept_away(control: Engine) -> None:
    with writes(control).begin() as session:
        users.add_session(session, "old", "ann", NOW, LATER)
        users.add_link(session, "old", NOW, LATER)
    with writes(control).begin() as session:
        users.add_session(session, "new", "ann", LATER, LATER + timedelta(hours=1))
        users.add_link(session, "new", LATER, LATER + timedelta(hours=1))
    with control.connect() as connection:
        for table in ("sessions", "login_tokens"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 1  # noqa: S608


def test_a_link_works_once_and_says_why_not(engine: Engine) -> None:
    with writes(engine).begin() as session:
        users.add_link(session, "link", NOW, LATER)
        users.add_link(session, "late", NOW, LATER)
    with writes(engine).begin() as session:
        states = [
            users.use_link(session, secret, now)
            for secret, now in (("link", NOW), ("link", NOW), ("late", LATER), ("none", NOW))
        ]
    assert states == ["valid", "used", "expired", "unknown"]


def test_of_two_at_the_same_time_one_gets_in(engine: Engine) -> None:
    with writes(engine).begin() as session:
        users.add_link(session, "link", NOW, LATER)
    states: list[str] = []

    def enter() -> None:
        with writes(engine).begin() as session:
            states.append(users.use_link(session, "link", NOW))

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["used"] * 5 + ["valid"]
