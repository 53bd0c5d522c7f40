"""The first layer: what it refuses, what it lets through whatever happens, and the line it writes."""

import json

import anyio
import pytest

from tests.support.asgi import call, exchange
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.listener import HELLO, Listener, listening, openai_body

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("name", ["Authorization", "Content-Length", "Content-Type", "Host"])
@pytest.mark.parametrize("path", ["/api/tags", "/v1/models", "/health/live", CHAT])
async def test_a_field_that_decides_may_come_only_once(name: str, path: str) -> None:
    answer = await call(listening().api, "GET", path, headers=[(name, "1"), (name.lower(), "1")])
    assert answer.status == 400
    assert name.lower() in answer.body.decode()
    assert answer.headers["x-request-id"]


async def test_other_fields_may_repeat() -> None:
    answer = await call(
        listening().api, "GET", "/api/tags", headers=[("x-relay-tags", "a"), ("x-relay-tags", "b")]
    )
    assert answer.status == 200


async def test_a_hundred_fields_pass_and_more_do_not() -> None:
    fields = [(f"x-{number}", "1") for number in range(99)]  # and the driver's host
    assert (await call(listening().api, "GET", "/api/tags", headers=fields)).status == 200
    answer = await call(listening().api, "GET", "/api/tags", headers=[*fields, ("x-99", "1")])
    assert answer.status == 431
    assert answer.headers["connection"] == "close"


async def test_what_is_over_the_limit_is_told_when_to_come_again_in_its_own_language() -> None:
    listener = listening(TapeBackend(HELLO, before=(5.0,)), max_in_flight=1)
    async with exchange(listener.api, "POST", CHAT, body=body()):
        await in_flight(listener, 1)
        openai = await call(listener.api, "POST", f"/{CHAT}/", body=body())
        ollama = await call(listener.api, "GET", "//api/tags")
        assert (openai.status, ollama.status) == (503, 503)
        assert openai.headers["retry-after"] == ollama.headers["retry-after"] == "1"
        assert openai.json()["error"]["code"] == "overloaded"
        assert ollama.json()["error"].startswith("server busy, please try again.")
        assert (await call(listener.api, "GET", "/health/live")).status == 200
        assert (await call(listener.api, "GET", "/health/ready")).status == 200


async def test_places_are_given_back_by_answers_errors_and_departures() -> None:
    listener = listening(max_in_flight=1)
    assert (await call(listener.api, "POST", CHAT, body=body())).status == 200
    assert (await call(listener.api, "POST", CHAT, body=b"{")).status == 400
    assert (await call(listener.api, "GET", "/nope")).status == 404
    listener.backend.before = (5.0,)
    async with exchange(listener.api, "POST", CHAT, body=body()):
        await in_flight(listener, 1)
    assert listener.api.traffic.in_flight == 0


async def test_while_draining_nothing_new_is_served() -> None:
    listener = listening()
    listener.api.traffic.drain()
    for path in (CHAT, "/api/tags", "/", "/nope"):
        answer = await call(listener.api, "GET", path)
        assert answer.status == 503, path
        assert answer.headers["connection"] == "close"
    assert listener.backend.calls == []


async def test_while_draining_the_health_routes_tell() -> None:
    listener = listening()
    listener.api.traffic.drain()
    assert (await call(listener.api, "GET", "/health/live")).status == 200
    ready = await call(listener.api, "GET", "/health/ready")
    assert (ready.status, ready.json()["reasons"]) == (503, ["draining"])


async def test_a_problem_elsewhere_is_a_reason_not_to_be_ready() -> None:
    problems: list[str] = []
    listener = listening(problems=lambda: problems)
    assert (await call(listener.api, "GET", "/health/ready")).json() == {"status": "ready"}
    problems.append("ledger: the disk is full")
    answer = await call(listener.api, "GET", "/health/ready")
    assert answer.status == 503
    assert answer.json()["reasons"] == ["ledger: the disk is full"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/tags", 200),
        ("GET", "/nope", 404),
        ("DELETE", "/api/tags", 405),
        ("GET", "/health/live", 200),
    ],
)
async def test_every_request_has_one_line(method: str, path: str, status: int) -> None:
    listener = listening()
    answer = await call(listener.api, method, f"{path}?key=secret")
    (line,) = listener.lines
    assert (line.method, line.path, line.status) == (method, path, status)
    assert line.outcome == ("ok" if status == 200 else "error")
    assert line.request_id == answer.headers["x-request-id"]
    assert line.duration_ms > 0
    assert "secret" not in repr(line)


async def test_a_refused_request_has_its_line_too() -> None:
    listener = listening(max_in_flight=0)
    await call(listener.api, "GET", "/api/tags")
    (line,) = listener.lines
    assert (line.status, line.outcome, line.error) == (503, "error", "overloaded")


def body(*, stream: bool = True) -> bytes:
    return json.dumps(openai_body(stream=stream)).encode()


async def in_flight(listener: Listener, count: int) -> None:
    with anyio.fail_after(2):
        while listener.api.traffic.in_flight != count or not listener.backend.calls:
            await anyio.sleep(0.005)
