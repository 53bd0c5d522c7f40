"""What every conformance test talks to: the real relay before a scripted upstream, or a stub in its place.

The stub answers every request with 200 and an empty object; `RELAY_CONFORMANCE_STUB=1` puts it there, to show that
each test can fail.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conformance.wire import Api
from tests.support.process import ServerProcess, run_cli, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream, running_upstream

LISTINGS_S = 10.0

STUB = "RELAY_CONFORMANCE_STUB"

ALIASES = {
    "basic": "oll/tools",
    "plain": "oll/basic",
    "think": "oll/think",
    "see": "oll/image",
    "emb": "oll/embed",
    "me/ns:v1": "oll/basic",
}
"""The names the checklists speak of; each leads to a script of the upstream that has the same capabilities."""


@dataclass(frozen=True)
class Place:
    """Where the tests' requests go, and what stands behind it."""

    api: Api
    upstream: ScriptedUpstream
    relay: ServerProcess | None


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running_upstream(ScriptedUpstream(models=(*DEFAULT_MODELS, "embed"))) as upstream:
        if os.environ.get(STUB):
            with _running_stub() as port:
                yield Place(Api(port), upstream, None)
            return
        folder = tmp_path_factory.mktemp("conformance")
        _configure(folder, upstream)
        with running_server(folder) as relay:
            api = Api(relay.port)
            _wait_for_the_listings(api)
            yield Place(api, upstream, relay)


@pytest.fixture
def api(place: Place) -> Api:
    """The interface under test."""
    return place.api


@pytest.fixture
def upstream(place: Place) -> ScriptedUpstream:
    """The scripted provider, its ledger empty."""
    place.upstream.reset()
    return place.upstream


@pytest.fixture(scope="module")
def claude(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay with Anthropic beside two others, all of them the scripted one."""
    models = ["basic", "tools", "think", "image"]
    upstream = place.upstream
    providers = {
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, "api_key": "sk-test", "models": models},
        "up": {
            "kind": "openai-compatible",
            "base_url": upstream.openai_url,
            "api_key": "k",
            "models": models,
        },
        "oll": {"kind": "ollama", "base_url": upstream.base_url, "models": models},
    }
    with relay_with(place, tmp_path_factory.mktemp("claude"), {"providers": providers}) as api:
        yield api


@contextmanager
def relay_with(place: Place, folder: Path, settings: Mapping[str, Toml]) -> Iterator[Api]:
    """A relay of its own in the folder; the stub, when that is what is tested."""
    if place.relay is None:
        yield place.api
        return
    write_relay_toml(folder, settings)
    with running_server(folder) as relay:
        yield Api(relay.port)


@contextmanager
def managed_relay(place: Place, folder: Path) -> Iterator[Api]:
    """A relay before an Ollama of its own that it manages, asked with a key of admin scope; or the stub."""
    if place.relay is None:
        yield place.api
        return
    with running_upstream() as upstream:
        oll: Toml = {"kind": "ollama", "base_url": upstream.base_url, "manage": True}
        write_relay_toml(folder, {"providers": {"oll": oll}})
        key = run_cli("keys", "create", "ops", "--admin", cwd=folder).stdout.strip()
        with running_server(folder) as relay:
            yield Api(relay.port, headers={"authorization": f"Bearer {key}"})


def _unlisted(base_url: str) -> Mapping[str, Toml]:
    """A provider that is not asked for its models."""
    return {"kind": "openai-compatible", "base_url": base_url, "api_key": "sk-canary", "models": ["basic"]}


def _wait_for_the_listings(api: Api) -> None:
    """The providers are asked in the background; the tests speak of a relay that knows their models."""
    wanted = {"oll", "up", "direct"}
    deadline = time.monotonic() + LISTINGS_S
    while not wanted <= {model["name"].partition("/")[0] for model in api.get("/api/tags").json["models"]}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _configure(folder: Path, upstream: ScriptedUpstream) -> None:
    write_relay_toml(
        folder,
        {
            "providers": {
                "oll": {"kind": "ollama", "base_url": upstream.base_url},
                "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-test"},
                "direct": {"kind": "openai", "base_url": upstream.openai_url, "api_key": "sk-test"},
                "slow": {**_unlisted(upstream.openai_url), "timeouts": {"first_byte_s": 0.3}},
                "gone": _unlisted("http://127.0.0.1:9/v1"),
                "tagged": {**_unlisted(upstream.openai_url), "quirks": {"thinking_tags": True}},
            },
            "models": {name: {"target": target} for name, target in ALIASES.items()},
        },
    )


class _Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The server looks a method up by its name: `do_GET`, `do_POST` and so on."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _running_stub() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stub) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
