"""The routes about an ollama.com account: answered as by a server that is signed out and has its cloud off."""

from typing import Any

import pytest

from tests.support.asgi import call
from tests.unit.inbound_http.listener import listening

pytestmark = pytest.mark.anyio

JSON = "application/json; charset=utf-8"
SIGNED_OUT = {"error": "you are not currently signed in"}
ANSWERS: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {
    ("GET", "/api/status"): (200, {"cloud": {"disabled": True, "source": "config"}}),
    ("POST", "/api/me"): (401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect"}),
    ("POST", "/api/signout"): (401, SIGNED_OUT),
    ("DELETE", "/api/user/keys/c3NoLWVkMjU1MTk"): (401, SIGNED_OUT),
    ("GET", "/api/experimental/model-recommendations"): (200, {"recommendations": []}),
    **{
        ("POST", f"/api/{prefix}web_{verb}"): (
            403,
            {"error": f"ollama cloud is disabled: web {verb} is unavailable"},
        )
        for prefix in ("experimental/", "")
        for verb in ("search", "fetch")
    },
}
each = pytest.mark.parametrize(("method", "path"), ANSWERS)


@each
async def test_the_answer_is_a_signed_out_servers(method: str, path: str) -> None:
    listener = listening()
    status, said = ANSWERS[method, path]
    answer = await call(listener.api, method, path, body=b'{"query": "weather"}')
    assert (answer.status, answer.json(), answer.headers["content-type"]) == (status, said, JSON)
    assert "www-authenticate" not in answer.headers
    assert listener.lines[0].outcome == ("ok" if status == 200 else "error")
    for spelling in (f"/{path}", f"{path}/", path.replace("/api/", "/api//")):
        again = await call(listener.api, method, spelling, body=b'{"query": "weather"}')
        assert (again.status, again.body) == (answer.status, answer.body), spelling


@each
async def test_another_method_is_told_which_is_taken(method: str, path: str) -> None:
    listener = listening()
    for other in {"GET", "HEAD", "POST", "PUT", "DELETE"} - {method}:
        answer = await call(listener.api, other, path)
        assert answer.status == 405, other
        assert method in answer.headers["allow"].split(", ")
        assert answer.body == (b"" if other == "HEAD" else b"405 method not allowed")


@each
async def test_where_keys_are_needed_they_come_first(method: str, path: str) -> None:
    listener = listening(mode="keys")
    answer = await call(listener.api, method, path)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(("method", "path"), [key for key in ANSWERS if "/web_" in key[1]])
async def test_a_search_for_nothing_is_told_apart(method: str, path: str) -> None:
    answer = await call(listening().api, method, path)
    assert (answer.status, answer.json()) == (400, {"error": "missing request body"})


async def test_an_account_needs_no_body() -> None:
    assert (await call(listening().api, "POST", "/api/me")).status == 401
    assert (await call(listening().api, "POST", "/api/signout")).json() == SIGNED_OUT
