"""Who may do what: actors, permissions, API tokens, login links, sessions. The gate (web/gate.py) asks here.

Secrets are 256 random bits, kept as SHA-256 only, and never logged.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from store import users
from store.engines import reads, writes
from web.problems import Problem

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=12)
# A session that is used lives on; written at most this often, not at every request.
SESSION_STEP = timedelta(minutes=5)
TOKEN_STEP = timedelta(minutes=1)

Kind = Literal["session", "token", "anonymous", "system"]
Permission = Literal["mesh:read", "policy:write", "event:write"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `name` is what the audit log shows."""

    name: str
    kind: Kind
    permissions: frozenset[Permission]


def actor(name: str, kind: Kind) -> Actor:
    """The one place where a role becomes permissions. There is one role so far: everything."""
    return Actor(name, kind, frozenset(get_args(Permission)))


ANONYMOUS = actor("anonymous", "anonymous")  # everybody, where AUTH=off
NOBODY = Actor("nobody", "anonymous", frozenset())  # who asks for what is public, where AUTH=on
SYSTEM = actor("meshscope", "system")  # leases and guards
OPERATOR = "operator"  # whoever opened a login link


def require(who: Actor, permission: Permission) -> None:
    """Raises a 403 problem unless `who` has the permission."""
    if permission not in who.permissions:
        raise Problem(403, "Not permitted", f"{who.name} has no permission {permission}.")


_bearer = HTTPBearer(auto_error=False, description="An API token: `meshscope token create NAME`.")


def needs(permission: Permission) -> Callable[..., Awaitable[Actor]]:
    """Dependency of a route: the actor, who has the permission."""

    async def checked(
        request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
    ) -> Actor:
        who: Actor = request.scope["state"]["actor"]  # set by the gate, which lets nobody else in
        require(who, permission)
        return who

    return checked


Reader = Annotated[Actor, Depends(needs("mesh:read"))]
Writer = Annotated[Actor, Depends(needs("policy:write"))]
Reporter = Annotated[Actor, Depends(needs("event:write"))]


@dataclass(frozen=True, slots=True)
class Entered:
    """A live session. `renewed`: its end was put off, the browser's cookie should be too."""

    actor: Actor
    renewed: bool = False


class Auth:
    """Tokens, links and sessions in the control database. Methods block: from async code, in a thread."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reads, self._writes, self._now = reads(engine), writes(engine), now

    # --- login links and sessions

    def issue_login_link(self) -> str:
        """A token for `/login?token=…`: opens one session, within 15 minutes."""
        secret, now = _new_secret(), self._now()
        with self._writes.begin() as session:
            users.add_link(session, secret, now, now + LINK_LIFE)
        return secret

    def use_login_link(self, token: str) -> tuple[users.LinkState, str]:
        """Use the link up; the secret of the new session when it was "valid", else ""."""
        now = self._now()
        with self._writes.begin() as session:
            state = users.use_link(session, token, now)
            secret = self._open(session, OPERATOR, now) if state == "valid" else ""
        return state, secret

    def login_with_token(self, token: str) -> str:
        """The secret of a new session for the holder of an API token, "" when there is no such token."""
        now = self._now()
        with self._writes.begin() as session:
            known = users.token(session, token)
            return self._open(session, _token_actor(known.name), now) if known else ""

    def enter(self, secret: str) -> Entered | None:
        """Who holds this session secret, None when it is unknown or has expired. Puts off its end."""
        now = self._now()
        with self._reads() as session:
            found = users.live_session(session, secret, now)
        if found is None:
            return None
        renew = found.expires_at - now < SESSION_LIFE - SESSION_STEP
        if renew:
            with self._writes.begin() as session:
                users.extend_session(session, secret, now + SESSION_LIFE)
        return Entered(actor(found.actor, "session"), renew)

    def holds_session(self, secret: str) -> bool:
        """Whether the session is still there. Does not put off its end."""
        with self._reads() as session:
            return users.live_session(session, secret, self._now()) is not None

    def leave(self, secret: str) -> None:
        """End one session."""
        with self._writes.begin() as session:
            users.remove_session(session, secret)

    def revoke_sessions(self) -> int:
        """End all sessions; returns how many there were."""
        with self._writes.begin() as session:
            return users.remove_sessions(session)

    # --- API tokens

    def create_token(self, name: str) -> str:
        """A new API token, shown this once. ValueError for a name that is taken or not printable."""
        if not name.strip() or not name.isprintable() or len(name) > 100:
            raise ValueError("a token's name has 1 to 100 printable characters")
        secret = _new_secret()
        try:
            with self._writes.begin() as session:
                users.add_token(session, name, secret, self._now())
        except users.TokenExistsError as error:
            raise ValueError(f"there is a token {name!r} already: revoke it first") from error
        return secret

    def list_tokens(self) -> list[users.ApiToken]:
        with self._reads() as session:
            return users.tokens(session)

    def revoke_token(self, name: str) -> bool:
        """Make the token, and sessions that were opened with it, invalid at once. False: no such token."""
        with self._writes.begin() as session:
            users.remove_sessions(session, _token_actor(name))
            return users.remove_token(session, name)

    def bearer(self, token: str) -> Actor | None:
        """Who holds this API token, None when there is no such."""
        now = self._now()
        with self._reads() as session:
            found = users.token(session, token)
        if found is None:
            return None
        if found.last_used_at is None or now - found.last_used_at >= TOKEN_STEP:
            with self._writes.begin() as session:
                users.touch_token(session, found.name, now)
        return actor(_token_actor(found.name), "token")

    def holds_token(self, token: str) -> bool:
        """Whether the API token is still there."""
        with self._reads() as session:
            return users.token(session, token) is not None

    def _open(self, session: Session, name: str, now: datetime) -> str:
        secret = _new_secret()
        users.add_session(session, secret, name, now, now + SESSION_LIFE)
        return secret


def csrf_token(session_secret: str) -> str:
    """What a browser has to send back with a change. Bound to the session, so a planted cookie is no use."""
    return hmac.digest(session_secret.encode("utf-8", "replace"), b"meshscope csrf", "sha256").hex()


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _token_actor(name: str) -> str:
    return f"token:{name}"
