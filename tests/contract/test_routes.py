"""Every small route of the listener, by the conformance lists of both APIs: methods, spellings, shapes, keys."""

import json
import re
from datetime import datetime
from typing import Any

import pytest

from relay.domain.capabilities import CAPABILITIES
from relay.domain.catalog import Catalog
from tests.support.asgi import Answer, call, exchange
from tests.support.builders import catalog, provider
from tests.unit.inbound_http.listener import CONTEXT, Listener, listening

pytestmark = pytest.mark.anyio

READABLE = {
    "/": ("GET", "HEAD"),
    "/api/version": ("GET", "HEAD"),
    "/api/tags": ("GET", "HEAD"),
    "/api/ps": ("GET",),
    "/v1/models": ("GET",),
    "/v1/models/up/basic": ("GET",),
    "/health/live": ("GET", "HEAD"),
    "/health/ready": ("GET", "HEAD"),
}
OPEN = ("/", "/api/version", "/health/live", "/health/ready")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


async def get(path: str, listener: Listener | None = None, **headers: str) -> Answer:
    return await call((listener or listening()).api, "GET", path, headers=headers)


async def show(
    body: object, listener: Listener | None = None, agent: str = "curl/8", **headers: str
) -> Answer:
    headers = {**headers, "user-agent": agent}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await call((listener or listening()).api, "POST", "/api/show", headers=headers, body=sent)


@pytest.mark.parametrize("path", READABLE)
async def test_each_route_takes_its_methods_and_no_other(path: str) -> None:
    listener = listening()
    for method in METHODS:
        answer = await call(listener.api, method, path)
        assert answer.headers["x-request-id"]
        if method in READABLE[path]:
            assert answer.status == 200, method
            assert bool(answer.body) == (method != "HEAD")
            continue
        assert answer.status == 405, method
        assert set(READABLE[path]) <= set(answer.headers["allow"].split(", "))
        if method == "HEAD":
            assert answer.body == b""
        elif path.startswith("/v1"):
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        else:
            assert answer.body == b"405 method not allowed"
            assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", [path for path in READABLE if path != "/"])
async def test_each_route_answers_however_its_path_is_joined(path: str) -> None:
    listener = listening()
    plain = await get(path, listener)
    for spelling in (f"/{path}", f"{path}/", f"//{path}//", f"{path}?limit=1000&beta=true"):
        answer = await get(spelling, listener)
        assert (answer.status, answer.body) == (200, plain.body), spelling


@pytest.mark.parametrize("path", READABLE)
async def test_keys_guard_the_listings_and_nothing_else(path: str) -> None:
    listener = listening(mode="keys")
    key = listener.keys.issue()
    answer = await get(path, listener)
    if path in OPEN:
        assert answer.status == 200
        return
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    if path.startswith("/v1"):
        assert answer.json()["error"]["code"] == "invalid_api_key"
    else:
        assert isinstance(answer.json()["error"], str)
    assert (await get(path, listener, authorization=f"Bearer {key}")).status == 200
    assert (await get(path, listener, **{"x-api-key": key})).status == 200


@pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])
async def test_every_answer_names_its_request_once(hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    chat = b'{"model": "basic", "messages": [{"role": "user", "content": "hi"}], "stream": false}'
    for method, path, sent in (
        ("GET", "/", b""),
        ("GET", "/nope", b""),
        ("PUT", "/v1/models", b""),
        ("OPTIONS", "/api/tags", b""),
        ("POST", "/api/show", b"{"),
        ("POST", "/api/chat", chat),
        ("POST", "/v1/chat/completions", chat),
        ("POST", "/v1/chat/completions", b"{"),
        ("GET", "/api/chat", b""),
        ("OPTIONS", "/api/chat", b""),
    ):
        async with exchange(listener.api, method, path, body=sent) as going:
            await going.end()
        named = [value for name, value in going.header_pairs if name == "x-request-id"]
        assert named == [listener.lines[-1].request_id], (method, path)


@pytest.mark.parametrize("path", ["/nope", "/api", "/api/nope", "/schema", "/api/tags/x", "/api/pul"])
async def test_outside_v1_an_unknown_path_is_plain_text(path: str) -> None:
    answer = await get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/v1", "/v1/nope", "/v1/chat", "//v1/chat/nope", "/v1/engines/x"])
async def test_under_v1_an_unknown_path_has_openais_envelope(path: str) -> None:
    answer = await get(path)
    error = answer.json()["error"]
    assert answer.status == 404
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)
    assert path.replace("//", "/") in error["message"]


async def test_the_root_says_that_ollama_is_running() -> None:
    answer = await get("/")
    assert answer.body == b"Ollama is running"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_the_version_is_one_every_client_takes() -> None:
    version = (await get("/api/version")).json()["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[A-Za-z0-9.]+)?", version)
    assert tuple(int(part) for part in version.split("-")[0].split(".")) >= (0, 6, 4)


async def test_every_tags_entry_is_complete() -> None:
    answer = await get("/api/tags")
    assert answer.headers["content-type"].startswith("application/json")
    entries = answer.json()["models"]
    assert len(entries) == 7
    for entry in entries:
        assert entry["name"] == entry["model"]
        assert ":" in entry["name"]
        assert isinstance(entry["size"], int)
        assert entry["size"] > 0
        assert re.fullmatch(r"[0-9a-f]{64}", entry["digest"])
        assert datetime.fromisoformat(entry["modified_at"]).tzinfo is not None
        assert "expires_at" not in entry
        assert set(entry["capabilities"]) <= set(CAPABILITIES)
        details(entry["details"])
    assert len({entry["name"] for entry in entries}) == len(entries)


async def test_a_tag_is_added_where_there_is_none() -> None:
    names = {entry["name"] for entry in (await get("/api/tags")).json()["models"]}
    assert {"up/basic:latest", "up/me/ns:v1", "sonnet:latest"} <= names


async def test_without_models_the_lists_are_empty_and_not_null() -> None:
    listener = listening(catalog=Catalog())
    assert (await get("/api/tags", listener)).json() == {"models": []}
    listed = (await get("/v1/models", listener)).json()
    assert (listed["data"], listed["first_id"], listed["last_id"]) == ([], None, None)


async def test_nothing_is_loaded() -> None:
    assert (await get("/api/ps")).json() == {"models": []}


async def test_a_page_is_the_same_for_every_spelling_of_its_name() -> None:
    listener = listening()
    spellings: list[object] = [
        {"model": "basic"},
        {"name": "basic"},
        {"model": "BASIC:latest"},
        {"MODEL": "Basic"},
    ]
    pages = [await show(spelling, listener) for spelling in spellings]
    assert [page.status for page in pages] == [200] * 4
    assert len({page.body for page in pages}) == 1


async def test_a_page_agrees_with_the_list() -> None:
    listener = listening()
    for entry in (await get("/api/tags", listener)).json()["models"]:
        page = (await show({"model": entry["model"], "verbose": True}, listener)).json()
        assert page["capabilities"] == entry["capabilities"]
        assert page["details"] == entry["details"]
        assert page["modified_at"] == entry["modified_at"]
        architecture = page["model_info"]["general.architecture"]
        assert "." not in architecture
        assert page["model_info"][f"{architecture}.context_length"] == CONTEXT
        assert all(re.fullmatch(r"\S+\s+.+", line) for line in page["parameters"].splitlines())


async def test_a_page_of_an_embedding_model() -> None:
    page = (await show({"model": "emb"})).json()
    assert page["capabilities"] == ["embedding"]
    assert page["details"]["embedding_length"] == 4


async def test_copilot_is_given_the_name_it_asked_for() -> None:
    for name in ("basic", "Basic:latest", "up/basic"):
        page = (await show({"model": name}, agent="GitHubCopilotChat/1.0")).json()
        assert page["model_info"]["general.basename"] == name
    assert (await show({"model": "up/BASIC"})).json()["model_info"]["general.basename"] == "up/basic"


async def test_a_model_of_unknown_context_still_has_a_number_on_its_page() -> None:
    listener = listening(catalog=catalog(provider("up", "mystery")))
    page = (await show({"model": "up/mystery"}, listener)).json()
    assert page["model_info"]["mystery.context_length"] == 32768
    assert "parameters" not in page
    assert "context_length" not in page["details"]
    assert "context_length" not in (await get("/v1/models/up/mystery", listener)).json()


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        (b"", 400, "missing request body"),
        (b"{}", 400, "model is required"),
        (b'{"model": ""}', 400, "model is required"),
        (b'{"model": 3}', 400, "model is required"),
        (b"[1]", 400, "model is required"),
        (b'{"model": null, "name": null}', 400, "model is required"),
        (b'{"model": "zzz"}', 404, "model 'zzz:latest' not found"),
        (b'{"model": "zzz:7b"}', 404, "model 'zzz:7b' not found"),
    ],
)
async def test_a_page_that_is_not_there(sent: bytes, status: int, error: str) -> None:
    answer = await show(sent)
    assert (answer.status, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("sent", [b"{", b'{"model"', b"\xff", b"nonsense"])
async def test_a_page_asked_for_in_no_json_is_a_400(sent: bytes) -> None:
    answer = await show(sent)
    assert answer.status == 400
    assert set(answer.json()) == {"error"}


async def test_the_list_of_models_serves_clients_of_openai_and_anthropic() -> None:
    listed = (await get("/v1/models")).json()
    ids = [entry["id"] for entry in listed["data"]]
    assert listed["object"] == "list"
    assert listed["has_more"] is False
    assert (listed["first_id"], listed["last_id"]) == (ids[0], ids[-1])
    assert set(ids) == {"sonnet", "up/basic", "up/plain", "up/think", "up/see", "up/emb", "up/me/ns:v1"}
    assert len(ids) == 7
    for entry in listed["data"]:
        assert (entry["object"], entry["type"]) == ("model", "model")
        assert isinstance(entry["created"], int)
        assert datetime.fromisoformat(entry["created_at"]).timestamp() == entry["created"]
        assert entry["owned_by"] == ("llm-relay" if entry["id"] == "sonnet" else "up")
        assert entry["display_name"]
        assert entry["context_length"] == CONTEXT


@pytest.mark.parametrize("model", ["up/basic", "up/me/ns:v1", "me/ns:v1", "sonnet", "SONNET", "basic"])
async def test_one_model_has_the_id_it_was_asked_by(model: str) -> None:
    answer = await get(f"/v1/models/{model}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["id"] == model


async def test_one_model_is_the_lists_entry() -> None:
    listener = listening()
    for entry in (await get("/v1/models", listener)).json()["data"]:
        assert (await get(f"/v1/models/{entry['id']}", listener)).json() == entry


async def test_an_unknown_model_is_told_with_names_like_it() -> None:
    answer = await get("/v1/models/up/basik")
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "up/basic" in error["message"]


async def test_a_key_sees_only_its_models_in_every_listing() -> None:
    listener = listening(mode="keys")
    key = {"authorization": f"Bearer {listener.keys.issue(models=('up/plain',))}"}
    tags = (await get("/api/tags", listener, **key)).json()["models"]
    assert [entry["name"] for entry in tags] == ["up/plain:latest"]
    assert [entry["id"] for entry in (await get("/v1/models", listener, **key)).json()["data"]] == [
        "up/plain"
    ]
    assert (await get("/v1/models/up/basic", listener, **key)).status == 404
    assert (await show({"model": "up/basic"}, listener, **key)).status == 404
    assert (await show({"model": "up/plain"}, listener, **key)).status == 200


async def test_listings_are_the_same_twice() -> None:
    for path in ("/api/tags", "/v1/models"):
        assert (await get(path)).body == (await get(path)).body


def details(told: dict[str, Any]) -> None:
    assert told["parent_model"] == ""
    for name in ("format", "family", "parameter_size", "quantization_level"):
        assert isinstance(told[name], str)
        assert told[name]
    assert told["families"] is None or all(isinstance(family, str) for family in told["families"])
