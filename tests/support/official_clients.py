"""The official clients, pointed at a relay, closed when done, and telling the id of each request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import ollama
import openai


@contextmanager
def ollama_client(url: str, ids: list[str] | None = None) -> Iterator[ollama.Client]:
    """`ids` collects the `x-request-id` of each answer."""
    client = ollama.Client(url)
    _collect(client._client, ids)
    with client._client:
        yield client


@contextmanager
def openai_client(url: str, ids: list[str] | None = None, api_key: str = "none") -> Iterator[openai.OpenAI]:
    """Without the client's own retries, so that one call is one request."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0) as client:
        _collect(client._client, ids)
        yield client


@contextmanager
def anthropic_client(
    url: str, ids: list[str] | None = None, api_key: str = "none"
) -> Iterator[anthropic.Anthropic]:
    """Without the client's own retries; `ids` collects the `request-id` of each answer."""
    with anthropic.Anthropic(base_url=url, api_key=api_key, max_retries=0) as client:
        if ids is not None:
            hooks: Any = client._client
            hooks.event_hooks["response"] = [lambda response: ids.append(response.headers["request-id"])]
        yield client


def _collect(http: Any, ids: list[str] | None) -> None:
    if ids is not None:
        http.event_hooks["response"] = [lambda response: ids.append(response.headers["x-request-id"])]
