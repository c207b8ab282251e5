from __future__ import annotations

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from web.api.bodies import MOST_BYTES, read_mapping
from web.problems import install

pytestmark = pytest.mark.anyio


async def send(body: str | bytes, kind: str | None = "application/yaml") -> httpx.Response:
    app = FastAPI()
    install(app)

    @app.post("/")
    async def echo(body: Annotated[dict[str, Any], Depends(read_mapping)]) -> dict[str, Any]:
        return body

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        headers = {"content-type": kind} if kind else {}
        return await client.post("/", content=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"timeout": "2s", "percent": 1.5}', "application/json"),
        ('{"timeout": "2s", "percent": 1.5}', "application/merge-patch+json; charset=utf-8"),
        ("timeout: 2s\npercent: 1.5", "application/yaml"),
        ("timeout: 2s\npercent: 1.5", "text/yaml"),
        ("{timeout: 2s, percent: 1.5}", "Application/X-YAML"),
        ('{"timeout": "2s", "percent": 1.5}', None),
    ],
)
async def test_json_and_yaml_are_read(body: str, kind: str | None) -> None:
    answer = await send(body, kind)
    assert (answer.status_code, answer.json()) == (200, {"timeout": "2s", "percent": 1.5})


@pytest.mark.parametrize(
    "body",
    [
        "a: [",
        "- a\n- b",
        "just text",
        "",
        "a: 1\na: 2",
        "a: !!python/object/apply:os.system ['id']",
        "a: !!python/name:os.system",
        "a: &x [1]\nb: *x",
        "a: 1\n---\nb: 2",
        "{" * 5000,
        "a: \x00",
        b"a: \xff\xfe",
    ],
)
async def test_yaml_that_is_not_plain_is_refused(body: str | bytes) -> None:
    answer = await send(body)
    assert (answer.status_code, answer.json()["title"]) == (400, "Unreadable body")


async def test_a_bomb_of_aliases_does_not_go_off() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{','.join(['*' + before] * 9)}]")
    assert (await send("\n".join(lines))).status_code == 400


@pytest.mark.parametrize(
    "body",
    ["{", "[1]", "null", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', "1" * 5000, "[" * 9999],
)
async def test_json_that_is_not_one_object_is_refused(body: str) -> None:
    assert (await send(body, "application/json")).status_code == 400


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "yaml"]
)
async def test_other_types_are_refused(kind: str) -> None:
    """A form of another site can send these without being asked first; JSON and YAML it cannot."""
    assert (await send("a: 1", kind)).status_code == 415


async def test_a_body_has_an_end() -> None:
    assert (await send("a: " + "x" * MOST_BYTES)).status_code == 413


async def test_a_date_stays_text() -> None:
    assert (await send("reason: 2030-01-31")).json() == {"reason": "2030-01-31"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"a":' * 21 + "1" + "}" * 21, "application/json"),
        ('{"a": ' + "[" * 255 + "]" * 255 + "}", "application/json"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "application/json"),
        ("a: " + "[" * 150 + "]" * 150, "application/yaml"),
        ("\n".join(" " * depth + "a:" for depth in range(300)), "application/yaml"),
    ],
)
async def test_what_is_nested_too_deep_is_refused(body: str, kind: str) -> None:
    """Stored, it would break every answer that shows it."""
    answer = await send(body, kind)
    assert (answer.status_code, answer.json()["title"]) == (400, "Unreadable body")
    assert "nested" in answer.json()["detail"]


async def test_what_policies_need_is_not_too_deep() -> None:
    body = '{"a":' * 20 + "1" + "}" * 20
    assert (await send(body, "application/json")).status_code == 200
    assert (await send(body)).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        "!!timestamp hello",
        "!!bool hello",
        "!!int ''",
        "!!int hello",
        "!!float hello",
        "!!binary aGk=",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "! x",
        "0x" + "f" * 60_000,
        "0b" + "1" * 60_000,
        "0" + "7" * 60_000,
        "1" + ":1" * 30_000,
        "1" + ":1" * 30_000 + ".5",
        "9" * 60_000,
        "9" * 20,
        "=",
        "0x",
        "0b_",
    ],
)
async def test_values_that_are_no_plain_yaml_are_refused_or_text(value: str) -> None:
    """Numbers of 60,000 digits are not even worked out: that would take seconds."""
    answer = await send(f"a: {value}")
    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or isinstance(answer.json()["a"], str)
    if len(value) > 1000:
        assert answer.status_code == 200 or "too long" in answer.json()["detail"]


async def test_merging_and_odd_keys_are_no_accident() -> None:
    for body in ("<<: [1]", "? [a]\n: 3", "? {a: 1}\n: 3", "<<: {name: z}\nname: z"):
        assert (await send(body)).status_code in (200, 400), body


@pytest.mark.parametrize("number", ["9" * 20, "-" + "9" * 20, "9" * 4000])
async def test_numbers_are_those_that_every_store_can_keep(number: str) -> None:
    assert (await send(f'{{"a": {number}}}', "application/json")).status_code == 400
    assert (await send(f'{{"a": [{number}]}}', "application/json")).status_code == 400


async def test_slow_yaml_is_read_off_the_event_loop() -> None:
    """The largest body of the slowest kind takes a while; everybody else is served meanwhile."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(take_turns())
    answer = await send("a: [" + "a," * (MOST_BYTES // 2 - 10) + "]")
    others.cancel()
    assert answer.status_code == 200
    assert turns > 500  # read on the loop itself there are a few dozen, however slow the machine
