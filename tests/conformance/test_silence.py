"""A provider that is silent for long: what clients of each dialect get meanwhile."""

import http.client
import json
import threading
from collections.abc import Mapping

import pytest

from tests.conformance.conftest import Place

pytestmark = pytest.mark.e2e

SILENT_MS = 31_000
"""Over the 30 s that Ollama's checklist names and the 20 s of OpenAI's; both are waited for at once."""


def body_of(port: int, path: str, model: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    connection.request("POST", path, json.dumps(body))
    text = connection.getresponse().read()
    connection.close()
    return text


@pytest.fixture(scope="module")
def silences(place: Place) -> Mapping[str, bytes]:
    """The whole body of a stream whose provider waits, by route."""
    bodies: dict[str, bytes] = {}
    model = f"up/basic?chunks=2&first_ms={SILENT_MS}"

    def ask(path: str) -> None:
        bodies[path] = body_of(place.api.port, path, model)

    threads = [threading.Thread(target=ask, args=(path,)) for path in ("/api/chat", "/v1/chat/completions")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return bodies


@pytest.mark.timeout(90)
@pytest.mark.conformance("ollama", 89)
def test_a_line_stream_says_nothing_while_its_provider_is_silent(silences: Mapping[str, bytes]) -> None:
    lines = silences["/api/chat"].splitlines()
    assert all(json.loads(line)["model"].startswith("up/basic") for line in lines)
    assert sum(json.loads(line)["done"] for line in lines) == 1


@pytest.mark.timeout(90)
@pytest.mark.conformance("openai", 59)
def test_an_event_stream_gets_comments_while_its_provider_is_silent(silences: Mapping[str, bytes]) -> None:
    text = silences["/v1/chat/completions"]
    assert text.count(b": keep-alive\n\n") >= 1
    assert text.endswith(b"data: [DONE]\n\n")
