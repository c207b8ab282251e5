from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from tests.web.clock import Clock
from web.auth import Actor, Auth, actor, csrf_token, require
from web.problems import Problem


@pytest.fixture
def auth(control: Engine, clock: Clock) -> Auth:
    return Auth(control, clock)


def test_a_link_becomes_one_session(auth: Auth) -> None:
    link = auth.issue_login_link()
    state, secret = auth.use_login_link(link)
    entered = auth.enter(secret)
    assert state == "valid"
    assert entered is not None
    assert (entered.actor.name, entered.actor.kind) == ("operator", "session")
    assert auth.use_login_link(link) == ("used", "")


def test_secrets_are_256_bits_and_never_the_same(auth: Auth) -> None:
    made = {auth.issue_login_link() for _ in range(20)}
    assert len(made) == 20
    assert {len(secret) for secret in made} == {43}  # 32 bytes in base64 without padding


def test_a_link_lives_15_minutes(auth: Auth, clock: Clock) -> None:
    early, late = auth.issue_login_link(), auth.issue_login_link()
    clock.advance(minutes=14, seconds=59)
    assert auth.use_login_link(early)[0] == "valid"
    clock.advance(seconds=1)
    assert auth.use_login_link(late)[0] == "expired"


def test_a_session_that_is_used_lives_on(auth: Auth, clock: Clock) -> None:
    _, secret = auth.use_login_link(auth.issue_login_link())
    for _ in range(5):
        clock.advance(hours=11)
        entered = auth.enter(secret)
        assert entered is not None
        assert entered.renewed
    clock.advance(hours=12)
    assert auth.enter(secret) is None


def test_a_session_is_written_at_most_every_five_minutes(auth: Auth, clock: Clock) -> None:
    _, secret = auth.use_login_link(auth.issue_login_link())
    clock.advance(minutes=5)
    entered = auth.enter(secret)
    assert entered is not None
    assert not entered.renewed


def test_leaving_ends_the_session(auth: Auth) -> None:
    _, secret = auth.use_login_link(auth.issue_login_link())
    _, other = auth.use_login_link(auth.issue_login_link())
    auth.leave(secret)
    assert auth.enter(secret) is None
    assert auth.enter(other) is not None
    assert auth.revoke_sessions() == 1
    assert auth.enter(other) is None


def test_an_api_token_is_a_bearer_until_it_is_revoked(auth: Auth, clock: Clock) -> None:
    token = auth.create_token("ci")
    bearer = auth.bearer(token)
    assert bearer is not None
    assert (bearer.name, bearer.kind) == ("token:ci", "token")
    assert [(each.name, each.last_used_at) for each in auth.list_tokens()] == [("ci", clock.now)]
    assert auth.revoke_token("ci")
    assert auth.bearer(token) is None
    assert not auth.revoke_token("ci")


def test_revoking_a_token_ends_the_sessions_it_opened(auth: Auth) -> None:
    token, other = auth.create_token("ci"), auth.create_token("cd")
    secret, kept = auth.login_with_token(token), auth.login_with_token(other)
    entered = auth.enter(secret)
    assert entered is not None
    assert entered.actor.name == "token:ci"
    auth.revoke_token("ci")
    assert auth.enter(secret) is None
    assert auth.enter(kept) is not None


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b"])
def test_names_of_tokens_are_printable(auth: Auth, name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        auth.create_token(name)


def test_a_taken_name_says_what_to_do(auth: Auth) -> None:
    auth.create_token("ci")
    with pytest.raises(ValueError, match="revoke it first"):
        auth.create_token("ci")


@pytest.mark.parametrize("secret", ["", "x", "' OR 1=1 --", "\x00", "ü" * 5000])
def test_nothing_else_gets_in(auth: Auth, secret: str) -> None:
    auth.create_token("ci")
    assert auth.enter(secret) is None
    assert auth.bearer(secret) is None
    assert auth.login_with_token(secret) == ""
    assert auth.use_login_link(secret) == ("unknown", "")


def test_a_link_is_no_token_and_a_token_is_no_session(auth: Auth) -> None:
    link, token = auth.issue_login_link(), auth.create_token("ci")
    assert auth.bearer(link) is None
    assert auth.enter(token) is None
    assert auth.enter(link) is None


def test_the_csrf_token_belongs_to_one_session() -> None:
    assert csrf_token("a") == csrf_token("a") != csrf_token("b")
    assert "secret" not in csrf_token("secret")


def test_require_refuses_who_has_no_permission() -> None:
    require(actor("ann", "session"), "policy:write")
    with pytest.raises(Problem) as refusal:
        require(Actor("bob", "session", frozenset()), "policy:write")
    assert refusal.value.status == 403
