"""``meshscope policy``: traffic rules from a terminal and from scripts.

Exit codes: 0 done (``diff``: nothing differs), 1 refused or not valid (``diff``: something differs), 2 the command or
its file is wrong, 3 (``diff`` and ``plan``) the server cannot be asked.

Over 300 lines: each command says its options in a line each, with its help.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

import typer

from web.terminal.api import Api, ApiError, Data, Token, Url, connected
from web.terminal.looks import width

if TYPE_CHECKING:
    from web.terminal.policy_files import Draft

_PATH: Final = "/api/v1/policies"
Document = dict[str, Any]

policies = typer.Typer(no_args_is_help=True, help="Traffic rules: plan, apply, take back.")

Name = Annotated[str, typer.Argument(help="Name of the policy.")]
Files = Annotated[list[str], typer.Option("--file", "-f", help="YAML of policies, - for stdin; repeatable.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]
Wait = Annotated[str, typer.Option(help="For the proxies, at most 60s.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: the documents of the API.")]


@dataclass(frozen=True, slots=True)
class _Server:
    """Where to ask."""

    data: Path | None
    url: str
    token: str

    @contextmanager
    def api(self, otherwise: int = 1) -> Iterator[Api]:
        """Ends with what the server says is wrong, and this exit code."""
        from web.terminal.policy_files import UnreadableFile

        try:
            with connected(self.data, self.url, self.token) as api:
                yield api
        except ApiError as error:
            _complain(error)
            raise typer.Exit(otherwise) from None
        except UnreadableFile as error:
            print(f"meshscope: {error}", file=sys.stderr)
            raise typer.Exit(2) from None


@policies.command("list")
def list_policies(as_json: AsJson = False, data: Data = None, url: Url = "", token: Token = "") -> None:
    """All policies, and where they stand."""
    with _Server(data, url, token).api() as api:
        document = api.get(_PATH, {})
    _print(json.dumps(document) if as_json else listed(document))


@policies.command()
def show(name: Name, as_json: AsJson = False, data: Data = None, url: Url = "", token: Token = "") -> None:
    """One policy as YAML (`--json`: with revision, lease, guard and steps)."""
    with _Server(data, url, token).api() as api:
        _print(json.dumps(api.get(_at(name), {})) if as_json else api.yaml(_at(name)).rstrip())


@policies.command()
def export(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
    form: Annotated[
        Literal["policy", "httproute"],
        typer.Option("--as", help="httproute: Gateway API, as far as it has words."),
    ] = "policy",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Policies as YAML, a document each, as `apply -f` reads them; 1 where one of them cannot be said."""
    import yaml

    with _Server(data, url, token).api() as api:
        wanted = names or [each["name"] for each in api.get(_PATH, {})["items"]]
        texts = [api.yaml(_at(name)) for name in wanted]
    complete = True
    if form == "httproute":
        texts, complete = _routes(texts)
    _print(json.dumps([yaml.safe_load(text) for text in texts]) if as_json else "---\n".join(texts).rstrip())
    raise typer.Exit(0 if complete else 1)


@policies.command()
def plan(files: Files, as_json: AsJson = False, data: Data = None, url: Url = "", token: Token = "") -> None:
    """What the policies of a file would change, and what is wrong with them; changes nothing."""
    from web.terminal.policy_files import drafts

    with _Server(data, url, token).api(otherwise=3) as api:
        plans = _plans(api, drafts(files))
    if as_json:
        _print(json.dumps([{"name": name} | told for name, told in plans]))
    else:
        _print("\n\n".join(planned(name, told) for name, told in plans))
    raise typer.Exit(0 if all(told["valid"] for _, told in plans) else 1)


@policies.command()
def diff(files: Files, data: Data = None, url: Url = "", token: Token = "") -> None:
    """What differs between a file and what is stored, as a unified diff."""
    from web.terminal.policy_files import drafts

    with _Server(data, url, token).api(otherwise=3) as api:
        plans = _plans(api, drafts(files))
    differing = [told["diff"] for _, told in plans if told["diff"]]
    wrong = [(name, told) for name, told in plans if not told["valid"] and not told["diff"]]
    for name, told in wrong:
        print(planned(name, told), file=sys.stderr)
    _print("".join(differing).rstrip())
    raise typer.Exit(1 if differing or wrong else 0)


@policies.command()
def apply(
    files: Files,
    reason: Reason = "",
    wait: Wait = "5s",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Save and apply the policies of a file, in its order; none of them when one is not valid.

    Each is a change of its own: where one is refused by a proxy, those before it stand, and none after it is tried.
    """
    from web.terminal.policy_files import drafts

    with _Server(data, url, token).api() as api:
        wanted = drafts(files)
        plans = _plans(api, wanted)
        if any(not told["valid"] for _, told in plans):
            print(
                "\n\n".join(planned(name, told) for name, told in plans if not told["valid"]), file=sys.stderr
            )
            raise typer.Exit(1)
        asked = {"wait": wait} | ({"reason": reason} if reason else {})
        for draft in wanted:
            _told(api.send("PUT", _at(draft.name), asked, draft.text), as_json)


@policies.command()
def toggle(
    name: Name,
    state: Annotated[Literal["on", "off"], typer.Argument(help="on or off.")],
    reason: Reason = "",
    wait: Wait = "5s",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Switch a policy on (its lease starts anew) or off."""
    body = f"enabled: {'true' if state == 'on' else 'false'}"
    _do(_Server(data, url, token), as_json, "POST", f"{_at(name)}/apply", reason, wait, body)


@policies.command()
def rollback(
    name: Name,
    to: Annotated[int, typer.Option(min=1, help="Revision; default: the one before.")] = 0,
    reason: Reason = "",
    wait: Wait = "5s",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Back to an earlier revision, as a new one."""
    more = {"to": str(to)} if to else {}
    _do(_Server(data, url, token), as_json, "POST", f"{_at(name)}/rollback", reason, wait, None, more)


@policies.command()
def lease(
    name: Name,
    length: Annotated[str, typer.Argument(help="It ends so long from now (15m), or `end`: now.")],
    reason: Reason = "",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Put off, or end, the time after which a policy is switched off."""
    server, path = _Server(data, url, token), f"{_at(name)}/lease"
    if length == "end":
        _do(server, as_json, "DELETE", path, reason)
    else:
        _do(server, as_json, "POST", path, reason, "", json.dumps({"for": length}))


@policies.command()
def steps(
    name: Name,
    verb: Annotated[Literal["pause", "resume", "abort"], typer.Argument(help="What to do.")],
    reason: Reason = "",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Steer the schedule of a split; `abort` goes back to before it."""
    _do(_Server(data, url, token), as_json, "POST", f"{_at(name)}/steps/{verb}", reason)


@policies.command()
def delete(name: Name, reason: Reason = "", data: Data = None, url: Url = "", token: Token = "") -> None:
    """Take a policy out of force, then remove it; its revisions stay."""
    with _Server(data, url, token).api() as api:
        api.send("DELETE", _at(name), {"reason": reason} if reason else {})
    _print(f"{name}: removed")


@policies.command()
def revisions(
    name: Name, as_json: AsJson = False, data: Data = None, url: Url = "", token: Token = ""
) -> None:
    """Who changed it, when, why, and what became of it; the newest first."""
    from web.terminal.table import table

    with _Server(data, url, token).api() as api:
        document = api.get(f"{_at(name)}/revisions", {})
    rows = [
        [str(each["revision"]), each["outcome"], each["at"][:19] + "Z", each["actor"], each["reason"]]
        for each in document["items"]
    ]
    heads = ("REVISION", "OUTCOME", "WHEN", "WHO", "WHY")
    _print(json.dumps(document) if as_json else "\n".join(table(heads, rows, width())))


def listed(document: Document) -> str:
    """The table of all policies."""
    from web.terminal.table import table

    rows = [
        [
            each["name"],
            each["target"]["service"],
            "on" if each["enabled"] else "off",
            str(each["revision"]),
            each["expires_at"][:19] + "Z" if each["expires_at"] else "",
            (each["guard_state"] or {}).get("state", ""),
            f"{found['step']} {found['state']}" if (found := each["steps_state"]) else "",
        ]
        for each in document["items"]
    ]
    heads = ("NAME", "TARGET", "STATE", "REVISION", "LEASE", "GUARD", "STEP")
    return "\n".join(table(heads, rows, width())) if rows else "no policies"


def planned(name: str, told: Document) -> str:
    """Findings with field and fix, the diff, and what is touched."""
    from web.export.text import written

    lines = [f"{name}: {'valid' if told['valid'] else 'NOT VALID'}"]
    for found in told["findings"]:
        field = f"{found['field']}: " if found["field"] else ""
        lines.append(f"  {found['severity']}: {field}{found['message']} {found['fix']}")
    radius = told["blast_radius"]
    if radius["callers"]:
        lines.append(f"  touches {', '.join(radius['callers'])}: {radius['calls_per_second']:.3g} calls/s")
    if told["resources"]:
        lines.append(f"  changes {len(told['resources'])} proxies")
    return "\n".join([*map(written, lines), *told["diff"].splitlines()])


def _plans(api: Api, wanted: list[Draft]) -> list[tuple[str, Document]]:
    return [(draft.name, api.send("POST", f"{_at(draft.name)}/plan", {}, draft.text)[1]) for draft in wanted]


def _routes(texts: list[str]) -> tuple[list[str], bool]:
    """Policies as HTTPRoutes, and whether each could be said; what is left out is said on stderr."""
    import yaml

    from proxy_plugin.gateway_api.writing import write_routes
    from proxy_plugin.policy import TrafficPolicy

    found = write_routes(TrafficPolicy.model_validate(yaml.safe_load(text)) for text in texts)
    for each in found.findings:
        print(f"{each.severity}: {each.field}: {each.message} {each.fix}", file=sys.stderr)
    written = [yaml.safe_dump(route, sort_keys=False, allow_unicode=True) for route in found.items]
    return written, all(each.severity != "error" for each in found.findings)


def _do(
    server: _Server,
    as_json: bool,
    method: str,
    path: str,
    reason: str,
    wait: str = "",
    body: str | None = None,
    more: dict[str, str] | None = None,
) -> None:
    asked = {"reason": reason, "wait": wait, **(more or {})}
    with server.api() as api:
        _told(api.send(method, path, {key: value for key, value in asked.items() if value}, body), as_json)


def _told(answer: tuple[int, Document], as_json: bool) -> None:
    status, told = answer
    if as_json:
        _print(json.dumps(told))
        return
    outcome = "pending: the push goes on" if status == 202 else told.get("outcome", "done")
    counts = ", ".join(f"{len(found)} {word}" for word, found in told.get("proxies", {}).items() if found)
    _print(f"{told['name']}: revision {told['revision']} {outcome}{f' ({counts})' if counts else ''}")


def _complain(error: ApiError) -> None:
    """In one line; for each finding another, with field and fix."""
    from web.export.text import written

    print(written(f"meshscope: {error}"), file=sys.stderr)
    findings: list[Document] = error.problem.get("findings", [])
    for found in findings:
        print(written(f"  {found['field']}: {found['message']} {found['fix']}"), file=sys.stderr)


def _at(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


_print: Callable[[str], None] = typer.echo
