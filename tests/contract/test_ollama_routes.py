"""The page of Ollama's routes tells the truth: each route is there or not, with its methods, as the page says."""

import re
from functools import cache
from pathlib import Path

import pytest
from litestar import Litestar

from tests.support.asgi import Answer, call
from tests.unit.inbound_http.listener import Listener, listening

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ollama-routes.md"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
STATES = {"served", "emulated", "refused", "not there"}
EXAMPLES = {"{digest}": "sha256:" + "0a" * 32, "{key}": "c3No", "{model}": "up/basic"}


def rows() -> dict[str, tuple[frozenset[str], str]]:
    """Methods and state by path, as the page has them."""
    found = re.findall(r"^\| ([A-Z, ]+) \| `(/\S*)` \| ([a-z ]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {path: (frozenset(methods.split(", ")), state) for methods, path, state in found}


@cache
def listener() -> Listener:
    return listening()


def there() -> set[str]:
    """The paths of the framework that belong to Ollama, and those under `/v1` that the page names."""
    framework = listener().api._app._framework  # type: ignore[attr-defined] # the routes have no other view
    assert isinstance(framework, Litestar)
    paths = {re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path) for route in framework.routes}
    paths = {path.replace("{model_id}", "{model}") for path in paths}
    return {path for path in paths if path == "/" or path.startswith("/api/") or path in rows()}


def is_in_the_dialects_shape(answer: Answer, path: str) -> bool:
    if path.startswith("/api/"):
        return answer.body == b"404 page not found"
    shape = {"type", "message"} if path == "/v1/messages" else {"message", "type", "param", "code"}
    return set(answer.json()["error"]) == shape


def test_the_page_has_every_path_of_the_listener_and_no_other() -> None:
    assert there() == {path for path, (_, state) in rows().items() if state != "not there"}


def test_the_page_knows_four_states() -> None:
    assert {state for _, state in rows().values()} <= STATES
    assert len(rows()) > 30


@pytest.mark.parametrize("path", rows())
async def test_a_route_takes_the_methods_the_page_names_and_no_other(path: str) -> None:
    methods, state = rows()[path]
    concrete = re.sub(r"\{\w+\}", lambda match: EXAMPLES[match[0]], path)
    for method in METHODS:
        answer = await call(listener().api, method, concrete, body=b'{"model": "zzz"}')
        if state == "not there":
            assert answer.status == 404, method
            assert method == "HEAD" or is_in_the_dialects_shape(answer, path), method
        elif method not in methods:
            assert (answer.status, set(answer.headers["allow"].split(", ")) >= methods) == (405, True), method
        elif state == "refused":
            assert 400 <= answer.status < 500, method
        else:
            assert (answer.status, answer.body) != (404, b"404 page not found"), method
            assert answer.status not in (405, 500), method
