"""The routes that manage models: what is served counts as pulled, and everything else is refused in good order."""

import json
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import ollama
import pytest

from tests.support.asgi import Answer, call
from tests.support.builders import catalog, provider
from tests.support.raw_http import connected
from tests.unit.inbound_http.listener import Listener, listening, served

pytestmark = pytest.mark.anyio

DIGEST = "sha256:" + "0a" * 32
CHANGES = {
    "/api/push": ("POST", {"model": "basic"}),
    "/api/create": ("POST", {"model": "mine", "from": "basic"}),
    "/api/copy": ("POST", {"source": "basic", "destination": "mine"}),
    "/api/delete": ("DELETE", {"model": "basic"}),
}
BODIES = ("/api/pull", *CHANGES)
UNLISTED = catalog(provider("up"))
"""A provider that lists nothing serves any name."""

NOT_PULLED = "pull model manifest: file does not exist"


@cache
def anybodys() -> Listener:
    """The listener of tests that look at nothing but the answer: making one takes longer than asking it."""
    return listening()


def method_of(path: str) -> str:
    return "DELETE" if path == "/api/delete" else "POST"


async def ask(path: str, body: object, listener: Listener | None = None, **headers: str) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await call((listener or anybodys()).api, method_of(path), path, headers=headers, body=sent)


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.body.endswith(b"\n")
    assert not answer.body.endswith(b"\n\n")
    return [json.loads(line) for line in answer.body.splitlines()]


def told(answer: Answer) -> str:
    """The words of an error in Ollama's shape."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert isinstance(error, str)
    return error


@pytest.mark.parametrize(
    "body",
    [
        {"model": "basic"},
        {"model": "basic", "stream": True},
        {"model": "basic", "stream": None, "insecure": True},
        {"name": "basic"},
        {"model": "", "name": "basic"},
        {"MODEL": "Basic:latest"},
        {"model": "up/me/ns:v1"},
        {"model": "sonnet"},
        {"model": "basic@alice"},
    ],
)
async def test_pulling_what_is_served_ends_in_success_and_calls_nobody(body: dict[str, Any]) -> None:
    listener = listening()
    assert lines(await ask("/api/pull", body, listener)) == [
        {"status": "pulling manifest"},
        {"status": "success"},
    ]
    assert listener.backend.calls == []
    assert listener.lines[0].outcome == "ok"


async def test_pulling_without_a_stream_is_one_object() -> None:
    answer = await ask("/api/pull", {"model": "basic", "stream": False})
    assert (answer.status, answer.body) == (200, b'{"status":"success"}')
    assert answer.headers["content-type"] == "application/json"


async def test_pulling_what_is_not_served_ends_in_an_error_and_not_in_success() -> None:
    listener = listening()
    first, last = lines(await ask("/api/pull", {"model": "zzz"}, listener))
    assert first == {"status": "pulling manifest"}
    assert set(last) == {"error"}
    assert last["error"].startswith(NOT_PULLED)
    assert (listener.lines[0].outcome, listener.lines[0].error) == ("error", "model_not_found")


async def test_pulling_what_is_not_served_without_a_stream_is_a_404() -> None:
    answer = await ask("/api/pull", {"model": "zzz", "stream": False})
    assert answer.status == 404
    assert told(answer).startswith(NOT_PULLED)


async def test_a_key_pulls_what_it_reaches() -> None:
    listener = listening(mode="keys")
    key = {"authorization": f"Bearer {listener.keys.issue(models=('up/plain',))}"}
    assert lines(await ask("/api/pull", {"model": "plain"}, listener, **key))[-1] == {"status": "success"}
    assert "error" in lines(await ask("/api/pull", {"model": "basic"}, listener, **key))[-1]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "name", ["", "  ", "a b", "a/b/c/d", "-x", "a::b", "x@y", "a.b/c", "/a", "a/", "é", "x" * 81]
)
async def test_a_name_that_can_be_none_is_not_pulled(name: str, stream: bool) -> None:
    for path, words in (
        ("/api/pull", "invalid model name"),
        ("/api/create", "invalid model name"),
        ("/api/delete", f"name {json.dumps(name.strip(), ensure_ascii=False)} is invalid"),
    ):
        answer = await ask(path, {"model": name, "stream": stream, "from": "basic"})
        assert (answer.status, told(answer)) == (400, words), path


@pytest.mark.parametrize(
    "name", ["a.b", "_x", "a/b", "A/b:c.d-e", "h.io:5000/n/m:t", "https://h.io/n/m", "x" * 80]
)
async def test_a_name_that_could_be_one_is_looked_for(name: str) -> None:
    assert lines(await ask("/api/pull", {"model": name}))[-1]["error"].startswith(NOT_PULLED)
    answer = await ask("/api/delete", {"model": name})
    assert (answer.status, told(answer)) == (404, f"model '{name}' not found")


async def test_a_served_name_needs_no_valid_form() -> None:
    """A provider's ids need not be names to Ollama."""
    for path, (_, body) in CHANGES.items():
        odd = {key: "up/fault/400@2026" if value == "basic" else value for key, value in body.items()}
        unlisted = listening(catalog=UNLISTED)
        assert (await ask(path, odd, unlisted)).status == 403, path
    assert lines(await ask("/api/pull", {"model": "up/a b"}, listening(catalog=UNLISTED)))[-1] == {
        "status": "success"
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/push", {}, 400, "model is required"),
        ("/api/push", {"name": ""}, 400, "model is required"),
        ("/api/push", {"model": "zzz"}, 404, "model 'zzz' not found"),
        ("/api/create", {}, 400, "invalid model name"),
        ("/api/create", {"model": "mine"}, 400, "neither 'from' or 'files' was specified"),
        (
            "/api/create",
            {"name": "mine", "from": "", "files": {}},
            400,
            "neither 'from' or 'files' was specified",
        ),
        ("/api/copy", {}, 400, 'source "" is invalid'),
        ("/api/copy", {"source": 'a "b"', "destination": "c"}, 400, r'source "a \"b\"" is invalid'),
        ("/api/copy", {"source": "basic"}, 400, 'destination "" is invalid'),
        ("/api/copy", {"source": "zzz", "destination": "a b"}, 400, 'destination "a b" is invalid'),
        ("/api/copy", {"source": "zzz", "destination": "mine"}, 404, 'model "zzz" not found'),
        ("/api/delete", {}, 400, 'name "" is invalid'),
        ("/api/delete", {"name": "zzz"}, 404, "model 'zzz' not found"),
        ("/api/delete", {"MODEL": "Zzz:7b"}, 404, "model 'Zzz:7b' not found"),
    ],
)
async def test_a_real_servers_own_checks_come_first(
    path: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await ask(path, body)
    assert (answer.status, told(answer)) == (status, words)


@pytest.mark.parametrize("path", CHANGES)
async def test_what_would_change_a_provider_is_refused_in_plain_words(path: str) -> None:
    listener = listening()
    answer = await ask(path, CHANGES[path][1], listener)
    assert answer.status == 403
    assert "is not enabled on this relay" in told(answer)
    assert listener.backend.calls == []
    assert (listener.lines[0].outcome, listener.lines[0].error) == ("error", "management_not_enabled")


async def test_a_model_made_of_files_is_refused_as_well() -> None:
    answer = await ask("/api/create", {"model": "mine", "files": {"a.gguf": DIGEST}, "stream": False})
    assert answer.status == 403
    assert "creating models is not enabled" in told(answer)


async def test_a_key_does_not_learn_of_models_that_it_does_not_reach() -> None:
    listener = listening(mode="keys")
    key = {"authorization": f"Bearer {listener.keys.issue(models=('up/plain',))}"}
    for path, (_, body) in CHANGES.items():
        if path != "/api/create":
            answer = await ask(path, body, listener, **key)
            assert (answer.status, "basic" in told(answer)) == (404, True), path


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("empty", [b"", b" \n"])
async def test_an_empty_body_is_told_apart(path: str, empty: bytes) -> None:
    answer = await ask(path, empty)
    assert (answer.status, told(answer)) == (400, "missing request body")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"nonsense",
        b"[1]",
        b"null",
        b'{"model": 3, "source": [], "destination": {}}',
        b'{"model": {"a": 1}, "source": true}',
        b"[" * 100_000,
    ],
)
async def test_a_body_that_says_nothing_is_a_400(path: str, body: bytes) -> None:
    answer = await ask(path, body)
    assert answer.status == 400
    assert told(answer)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"Model": "basic", "SOURCE": "basic", "Destination": "mine", "From": "x"}',
        b'{"model": "basic", "source": "basic", "destination": "mine", "from": "x", "zzz": null} trailing',
        b'{"name": "basic", "model": null, "source": "basic", "destination": "mine", "from": "\\ud83d"}',
    ],
)
async def test_an_irregular_body_is_read_as_gos_decoder_reads_it(path: str, body: bytes) -> None:
    assert (await ask(path, body)).status == (200 if path == "/api/pull" else 403)


async def test_a_stream_flag_that_is_no_flag_is_a_400() -> None:
    assert (await ask("/api/pull", {"model": "basic", "stream": "no"})).status == 400


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_a_body_is_read_whatever_it_is_called(content_type: str) -> None:
    headers = {"content-type": content_type}
    assert (await ask("/api/pull", {"model": "basic"}, None, **headers)).status == 200
    assert (await ask("/api/delete", {"model": "basic"}, None, **headers)).status == 403


@pytest.mark.parametrize(
    ("digest", "head", "post"),
    [
        (DIGEST, 404, 403),
        ("sha256-" + "0A" * 32, 404, 403),
        ("sha256:" + "0a" * 31, 400, 400),
        ("sha512:" + "0a" * 32, 400, 400),
        (DIGEST + "0", 400, 400),
        ("zzz", 400, 400),
    ],
)
async def test_there_are_no_blobs_and_none_is_taken(digest: str, head: int, post: int) -> None:
    looked = await call(anybodys().api, "HEAD", f"/api/blobs/{digest}")
    assert (looked.status, looked.body) == (head, b"")
    stored = await call(anybodys().api, "POST", f"/api/blobs/{digest}", body=b"GGUF")
    assert stored.status == post
    assert told(stored) == (
        "invalid digest format"
        if post == 400
        else "storing blobs is not enabled on this relay: it serves its providers' models and changes none"
    )


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/pull", {"POST"}),
        ("/api/push", {"POST"}),
        ("/api/create", {"POST"}),
        ("/api/copy", {"POST"}),
        ("/api/delete", {"DELETE"}),
        (f"/api/blobs/{DIGEST}", {"HEAD", "POST"}),
    ],
)
async def test_another_method_is_told_which_are_taken(path: str, allowed: set[str]) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = await call(anybodys().api, method, path)
        assert answer.status == 405, method
        assert allowed <= set(answer.headers["allow"].split(", "))
        assert answer.body == (b"" if method == "HEAD" else b"405 method not allowed")


@pytest.mark.parametrize("path", [*BODIES, f"/api/blobs/{DIGEST}"])
async def test_each_route_answers_however_its_path_is_joined(path: str) -> None:
    _, body = CHANGES.get(path, ("POST", {"model": "basic"}))
    sent = json.dumps(body).encode()
    plain = await call(anybodys().api, method_of(path), path, body=sent)
    for spelling in (f"/{path}", f"{path}/", f"//{path.replace('/api/', '/api//')}//"):
        answer = await call(anybodys().api, method_of(path), spelling, body=sent)
        assert (answer.status, answer.body) == (plain.status, plain.body), spelling


@pytest.mark.parametrize("path", [*BODIES, f"/api/blobs/{DIGEST}"])
async def test_where_keys_are_needed_they_come_first(path: str) -> None:
    listener = listening(mode="keys")
    answer = await call(listener.api, method_of(path), path, body=b"{")
    assert answer.status == 401
    assert isinstance(answer.json()["error"], str)


async def test_a_blob_of_any_size_is_refused_without_being_kept() -> None:
    """The connection is good for the next request, and whoever sends on finds the answer."""
    listener = listening()
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send("POST", f"/api/blobs/{DIGEST}", b"x" * (48 * 1024 * 1024))
        assert (await connection.head()).status == 403
        assert b"storing blobs" in await connection.body()
        await connection.send("GET", "/api/version")
        assert (await connection.head()).status == 200


@pytest.fixture
async def native() -> AsyncIterator[ollama.AsyncClient]:
    async with served(listening().api) as url:
        client = ollama.AsyncClient(host=url)
        yield client
        await client._client.aclose()


async def test_ollamas_client_pulls(native: ollama.AsyncClient) -> None:
    assert (await native.pull("basic")).status == "success"
    parts = [part.status async for part in await native.pull("up/basic", stream=True)]
    assert parts == ["pulling manifest", "success"]
    with pytest.raises(ollama.ResponseError, match=NOT_PULLED):
        await native.pull("zzz")
    with pytest.raises(ollama.ResponseError, match=NOT_PULLED):
        async for _ in await native.pull("zzz", stream=True):
            pass


async def test_ollamas_client_understands_each_refusal(native: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="deleting models is not enabled") as refused:
        await native.delete("basic")
    assert refused.value.status_code == 403
    with pytest.raises(ollama.ResponseError, match="copying models is not enabled"):
        await native.copy("basic", "mine")
    with pytest.raises(ollama.ResponseError, match="creating models is not enabled"):
        await native.create(model="mine", from_="basic", system="Be kind.")
    with pytest.raises(ollama.ResponseError, match="pushing models is not enabled"):
        async for _ in await native.push("basic", stream=True):
            pass
    with pytest.raises(ollama.ResponseError, match="model 'zzz' not found"):
        await native.delete("zzz")


async def test_ollamas_client_is_told_that_it_cannot_upload(
    native: ollama.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weights = tmp_path_factory.mktemp("weights") / "model.gguf"
    weights.write_bytes(b"GGUF" * 1000)
    with pytest.raises(ollama.ResponseError, match="storing blobs is not enabled"):
        await native.create_blob(weights)
