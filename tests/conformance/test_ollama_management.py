"""Ollama's management routes, for models the relay serves and for others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import Place, managed_relay
from tests.conformance.wire import Answer, Api

pytestmark = pytest.mark.e2e

UNKNOWN_BLOB = "sha256:" + "0" * 64


def delete(api: Api, body: object) -> Answer:
    return api.send("DELETE", "/api/delete", json.dumps(body).encode())


@pytest.mark.conformance("ollama", 105, 107)
@pytest.mark.parametrize("key", ["model", "name"])
def test_a_served_model_is_pulled_at_once(api: Api, key: str) -> None:
    lines = api.post("/api/pull", {key: "basic"}).lines
    assert lines[-1] == {"status": "success"}
    assert api.post("/api/pull", {key: "basic", "stream": False}).json == {"status": "success"}


@pytest.mark.conformance("ollama", 107)
def test_a_pull_of_nothing_is_refused(api: Api) -> None:
    assert api.post("/api/pull", {}).status == 400


@pytest.mark.conformance("ollama", 106)
def test_an_unknown_model_cannot_be_pulled(api: Api) -> None:
    streamed = api.post("/api/pull", {"model": "zzz"})
    lines: list[Any] = streamed.lines
    assert "error" in lines[-1]
    assert not any(line.get("status") == "success" for line in lines)
    whole = api.post("/api/pull", {"model": "zzz", "stream": False})
    assert whole.status in (404, 500)
    assert isinstance(whole.json["error"], str)


@pytest.fixture
def managed(place: Place, tmp_path: Path) -> Iterator[Api]:
    """A relay before an Ollama that it manages, asked with a key of admin scope."""
    with managed_relay(place, tmp_path) as api:
        yield api


@pytest.mark.conformance("ollama", 108)
def test_a_copy_and_a_deletion_are_answered_with_nothing(managed: Api) -> None:
    assert delete(managed, {"model": "mine"}).status == 404
    for answer in (
        managed.post("/api/copy", {"source": "basic", "destination": "mine"}),
        delete(managed, {"model": "mine"}),
    ):
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")
    assert delete(managed, {"model": "mine"}).status == 404


@pytest.mark.conformance("ollama", 109)
def test_an_unknown_model_cannot_be_deleted(api: Api) -> None:
    answer = delete(api, {"model": "zzz"})
    assert (answer.status, answer.json) == (404, {"error": "model 'zzz' not found"})


@pytest.mark.conformance("ollama", 110)
def test_an_unknown_blob_is_not_found(api: Api) -> None:
    assert api.send("HEAD", f"/api/blobs/{UNKNOWN_BLOB}").status == 404


@pytest.mark.conformance("ollama", 111)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/create", {"model": "new", "from": "basic"}),
        ("/api/push", {"model": "basic"}),
        ("/api/copy", {"source": "basic", "destination": "other"}),
        (f"/api/blobs/{UNKNOWN_BLOB}", {}),
    ],
)
def test_what_the_relay_does_not_do_is_told_in_json(api: Api, path: str, body: object) -> None:
    answer = api.post(path, body)
    assert 400 <= answer.status < 500
    assert isinstance(answer.json["error"], str)
    assert len(answer.json["error"]) > 10
