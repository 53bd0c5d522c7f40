"""In front of the framework: one form of a path, the hot routes, and whatever the framework lets through."""

import json
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from relay.adapters.inbound.http.access import STATE_KEY, AccessLine
from relay.adapters.inbound.http.app import SHAPES
from relay.adapters.inbound.http.asgi import App, Message, Receive, Scope, Send
from relay.adapters.inbound.http.dispatch import Dispatch, canonical
from tests.support.asgi import http_scope
from tests.unit.inbound_http.sent import Sent

pytestmark = pytest.mark.anyio


class Bug(Exception):
    """What a framework should have caught."""


async def nothing() -> Message:
    raise AssertionError("nothing is read here")


def dispatch(framework: App, hot: dict[str, App] | None = None) -> tuple[Dispatch, list[Any]]:
    capture = LogCapture()
    log = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[capture],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return Dispatch(hot or {}, framework, shapes=SHAPES, log=log), capture.entries


async def visit(app: Dispatch, path: str, sent: Sent) -> AccessLine:
    line = AccessLine(request_id="r1", method="GET", path=path, began_s=0.0)
    await app(http_scope("GET", path, state={STATE_KEY: line}), nothing, sent)
    return line


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/", "/"),
        ("//", "/"),
        ("", "/"),
        ("/api/tags", "/api/tags"),
        ("/api/tags/", "/api/tags"),
        ("//api///tags//", "/api/tags"),
        ("/v1/models/a/b:c", "/v1/models/a/b:c"),
    ],
)
def test_a_path_has_one_form(path: str, plain: str) -> None:
    assert canonical(path) == plain


async def test_a_hot_path_never_reaches_the_framework() -> None:
    seen: list[str] = []

    async def hot(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    app, _ = dispatch(framework, {"/api/chat": hot})
    for path in ("/api/chat", "//api/chat/"):
        await visit(app, path, Sent())
    assert seen == ["/api/chat", "/api/chat"]


async def test_what_is_no_request_goes_to_the_framework() -> None:
    seen: list[str] = []

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    app, _ = dispatch(framework)
    await app({"type": "lifespan"}, nothing, Sent())
    assert seen == ["lifespan"]


@pytest.mark.parametrize("path", ["/v1/models", "/api/tags"])
async def test_what_the_framework_lets_through_is_answered_in_the_paths_language(path: str) -> None:
    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        raise Bug("a secret")

    app, events = dispatch(framework)
    sent = Sent()
    line = await visit(app, path, sent)
    assert sent.messages[0]["status"] == 500
    assert sent.head[b"x-request-id"] == b"r1"
    assert "param" in json.loads(sent.body)["error"] or path == "/api/tags"
    assert (line.status, line.outcome, line.error) == (500, "error", "internal_error")
    assert [event["exception"] for event in events] == ["Bug"]
    assert "secret" not in f"{sent.body!r} {events}"


async def test_an_answer_that_breaks_off_gets_no_second_head() -> None:
    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Bug

    app, events = dispatch(framework)
    sent = Sent()
    line = await visit(app, "/api/tags", sent)
    assert len(sent.messages) == 1
    assert (line.status, line.outcome) == (200, "error")
    assert len(events) == 1


async def test_a_client_that_is_gone_is_no_failure() -> None:
    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def gone(message: Message) -> None:
        raise OSError("gone")

    app, events = dispatch(framework)
    line = await visit(app, "/api/tags", Sent(before=gone))
    assert line.outcome == "cancelled"
    assert events == []
