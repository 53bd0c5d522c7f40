"""Thousands of models are listed as fast as a few, and by hanging providers no slower."""

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from statistics import quantiles

import pytest

from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, write_relay_toml

pytestmark = pytest.mark.e2e

MODELS = 2_000
REQUESTS = 250
P95_LIMIT_MS = 20.0


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Two thousand models by static list, and two providers that take connections and never answer."""
    folder = tmp_path_factory.mktemp("large")
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        address = f"http://127.0.0.1:{hole.getsockname()[1]}"
        listed = [f"vendor-{number % 20}/model-{number}" for number in range(MODELS)]
        many: Mapping[str, Toml] = {
            "kind": "openai-compatible",
            "base_url": f"{address}/v1",
            "models": listed,
        }
        providers: Mapping[str, Toml] = {
            "many": many,
            "hanging": {"kind": "ollama", "base_url": address},
            "silent": {"kind": "openai-compatible", "base_url": f"{address}/v1"},
        }
        write_relay_toml(folder, {"providers": providers})
        with running_server(folder) as server:
            yield server


def listed(connection: http.client.HTTPConnection, path: str) -> tuple[bytes, float]:
    """The body and the milliseconds it took to come."""
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200
    return body, (time.perf_counter() - started) * 1000


@pytest.mark.parametrize(
    ("path", "member", "name"), [("/api/tags", "models", "name"), ("/v1/models", "data", "id")]
)
def test_two_thousand_models_are_listed_within_twenty_milliseconds(
    relay: ServerProcess, path: str, member: str, name: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=5.0)
    first, _ = listed(connection, path)
    names = {entry[name] for entry in json.loads(first)[member]}
    assert len(names) == MODELS
    took: list[float] = []
    for _ in range(REQUESTS):
        body, took_ms = listed(connection, path)
        took.append(took_ms)
        assert body == first
    connection.close()
    p95 = quantiles(took, n=20)[-1]
    print(f"{path}: {len(first)} bytes, p50 {quantiles(took, n=2)[0]:.1f} ms, p95 {p95:.1f} ms")
    assert p95 < P95_LIMIT_MS


def test_a_model_among_thousands_is_found_at_once(relay: ServerProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=5.0)
    took: list[float] = []
    for number in range(REQUESTS):
        wanted = f"many/vendor-{number % 20}/model-{number}"
        started = time.perf_counter()
        connection.request("POST", "/api/show", json.dumps({"model": wanted}))
        page = json.loads(connection.getresponse().read())
        took.append((time.perf_counter() - started) * 1000)
        assert page["model_info"]["general.basename"] == wanted
    connection.close()
    p95 = quantiles(took, n=20)[-1]
    print(f"/api/show: p95 {p95:.1f} ms")
    assert p95 < P95_LIMIT_MS
