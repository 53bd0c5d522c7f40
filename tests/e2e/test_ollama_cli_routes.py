"""What the `ollama` command asks of its server, request by request, and what each command must find.

The command is not here; its requests are, with headers and bodies as it sends them, and its reading of the answers:
an `error` in a line ends a stream, digests are cut without a look at their length.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conformance.wire import Answer, Api
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

AGENT = {"User-Agent": "ollama/0.32.15 (amd64 linux) Go/go1.24.1", "Accept": "application/json"}
STREAMING = {**AGENT, "Accept": "application/x-ndjson", "Content-Type": "application/json"}
MANAGING = ("/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs")

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


class Command:
    """The command's HTTP client. Every command but the first one of a session looks for a server first."""

    def __init__(self, api: Api) -> None:
        self.api = api
        heartbeat = api.send("HEAD", "/", headers=AGENT)
        assert (heartbeat.status, heartbeat.body) == (200, b"")

    def do(self, method: str, path: str, body: object = None) -> Answer:
        if body is None:
            return self.api.send(method, path, headers=AGENT)
        headers = {**AGENT, "Content-Type": "application/json"}
        return self.api.send(method, path, json.dumps(body).encode(), headers)

    def stream(self, path: str, body: object) -> list[dict[str, Any]]:
        """The lines, up to one that tells of an error."""
        answer = self.api.send("POST", path, json.dumps(body).encode(), STREAMING)
        lines = [json.loads(line) for line in answer.body.splitlines() if line]
        return lines[: next((n for n, line in enumerate(lines, 1) if "error" in line), len(lines))]

    def show(self, model: str) -> Answer:
        fields = {"model": model, "system": "", "template": "", "verbose": False, "options": None, "name": ""}
        return self.do("POST", "/api/show", fields)

    def load(self, model: str, **more: object) -> list[dict[str, Any]]:
        fields = {"model": model, "prompt": "", "suffix": "", "system": "", "template": "", "options": None}
        return self.stream("/api/generate", {**fields, **more})

    def pull(self, model: str) -> list[dict[str, Any]]:
        return self.stream("/api/pull", {"model": model, "username": "", "password": "", "name": ""})

    def loaded(self) -> dict[str, Any]:
        return {model["name"]: model for model in self.do("GET", "/api/ps").json["models"]}


@pytest.fixture
def command(relay: ServerProcess, upstream: ScriptedUpstream) -> Iterator[Command]:
    """A command at work; whatever it asks for, no provider is asked to change anything."""
    upstream.reset()
    yield Command(Api(relay.port))
    assert [call.path for call in upstream.ledger.calls if call.path.startswith(MANAGING)] == []


@provider_of
def test_run_shows_loads_chats_and_stops(command: Command, upstream: ScriptedUpstream, provider: str) -> None:
    model = f"{provider}/think"
    page = command.show(model)
    assert page.status == 200
    assert isinstance(page.json["capabilities"], list)

    assert [line["done_reason"] for line in command.load(model, keep_alive="10m0s")] == ["load"]
    assert not [call for call in upstream.ledger.calls if call.is_chat]
    loaded = command.loaded()[f"{model}:latest"]
    assert loaded["digest"][:12]
    left = datetime.fromisoformat(loaded["expires_at"]) - datetime.now(UTC)
    assert 590 < left.total_seconds() <= 600

    told = command.stream(
        "/api/chat",
        {"model": model, "messages": [{"role": "user", "content": "hi"}], "options": {}, "think": True},
    )
    assert "".join(line["message"]["content"] for line in told).startswith("000 ")
    assert told[-1]["done"]
    assert f"{model}:latest" in command.loaded()

    assert [line["done_reason"] for line in command.load(model, keep_alive=0)] == ["unload"]
    assert f"{model}:latest" not in command.loaded()


def test_run_pulls_what_it_is_not_shown(command: Command) -> None:
    assert command.show("zzz").status == 404
    assert [*command.pull("zzz")[0]] == ["status"]
    assert "file does not exist" in command.pull("zzz")[-1]["error"]


@provider_of
def test_pull_of_what_is_served_succeeds(command: Command, provider: str) -> None:
    assert command.pull(f"{provider}/basic")[-1] == {"status": "success"}


def test_list_cuts_every_digest(command: Command) -> None:
    models = command.do("GET", "/api/tags").json["models"]
    assert models
    for model in models:
        assert len(model["digest"][:12]) == 12
        assert model["size"] > 0
        assert datetime.fromisoformat(model["modified_at"]).tzinfo is not None


def test_create_is_told_before_it_uploads(command: Command) -> None:
    weights = b"GGUF" * 1000
    blob = f"/api/blobs/sha256:{hashlib.sha256(weights).hexdigest()}"
    assert command.do("HEAD", blob).status == 404
    refused = command.api.send("POST", blob, weights, AGENT)
    assert (refused.status, "storing blobs is not enabled" in refused.json["error"]) == (403, True)
    (line,) = command.stream("/api/create", {"model": "mine", "from": "oll/basic", "system": "Be kind."})
    assert "creating models is not enabled" in line["error"]


def test_what_changes_models_is_refused_in_words(command: Command) -> None:
    for method, path, body in (
        ("POST", "/api/copy", {"source": "oll/basic", "destination": "mine"}),
        ("DELETE", "/api/delete", {"model": "oll/basic", "name": ""}),
        ("POST", "/api/push", {"model": "oll/basic", "insecure": False, "username": "", "name": ""}),
    ):
        answer = command.do(method, path, body)
        assert (answer.status, "is not enabled on this relay" in answer.json["error"]) == (403, True), path
    assert command.do("DELETE", "/api/delete", {"model": "zzz", "name": ""}).status == 404


def test_signin_is_sent_to_ollamas_own_site(command: Command) -> None:
    answer = command.do("POST", "/api/me")
    assert (answer.status, answer.json["signin_url"]) == (401, "https://ollama.com/connect")
    assert command.do("POST", "/api/signout").status == 401
    assert command.do("GET", "/api/status").json["cloud"]["disabled"] is True
