"""Asking the chat routes, and waiting for what happens out of a client's sight."""

import json
from typing import Any

import anyio
import pytest

from tests.support.asgi import Answer
from tests.unit.inbound_http.listener import Listener, ollama_body, openai_body

OPENAI, OLLAMA = "/v1/chat/completions", "/api/chat"
both_ways = pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])
both = pytest.mark.parametrize("path", [OPENAI, OLLAMA])

RELAY_HEADERS = {
    "x-request-id",
    "x-relay-provider",
    "x-relay-model",
    "x-relay-resolved-by",
    "x-relay-attempts",
    "server-timing",
}


def body(path: str, model: str = "up/basic", *, stream: bool = False, **more: Any) -> bytes:
    make = openai_body if path == OPENAI else ollama_body
    return json.dumps(make(model, stream=stream, **more)).encode()


def error_text(path: str, answer: Answer) -> str:
    error = answer.json()["error"]
    return str(error["message"] if path == OPENAI else error)


async def asked(listener: Listener) -> None:
    """Until the provider was asked."""
    with anyio.fail_after(2):
        while not listener.backend.calls:
            await anyio.sleep(0.002)


async def settled(listener: Listener) -> None:
    """Until every request has its line."""
    with anyio.fail_after(3):
        await listener.api.traffic.emptied()
        while not listener.lines:
            await anyio.sleep(0.002)
