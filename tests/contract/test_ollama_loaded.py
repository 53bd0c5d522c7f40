"""What `/api/ps` tells: the models that calls have loaded, and for how long each caller keeps them."""

import json
from datetime import UTC, datetime
from typing import Any

import ollama
import pytest

from relay.domain.errors import Overloaded
from tests.support.asgi import Answer, call, exchange
from tests.support.fakes_chat import TapeBackend, TickingClock
from tests.support.fakes_embeddings import RuleBackend
from tests.unit.inbound_http.listener import CONTEXT, HELLO, Listener, listening, ollama_body, served

pytestmark = pytest.mark.anyio

NOW = datetime.fromtimestamp(TickingClock().unix_ms() / 1000, UTC)


async def chat(
    listener: Listener, model: str = "up/basic", path: str = "/api/chat", key: str = "", **more: Any
) -> Answer:
    body = ollama_body(model, **{"stream": False, **more})
    return await call(listener.api, "POST", path, headers=bearing(key), body=json.dumps(body).encode())


async def loaded(listener: Listener, key: str = "") -> dict[str, float]:
    """The seconds each listed model has left."""
    answer = await call(listener.api, "GET", "/api/ps", headers=bearing(key))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    return {
        model["name"]: (datetime.fromisoformat(model["expires_at"]) - NOW).total_seconds()
        for model in answer.json()["models"]
    }


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


async def test_nothing_is_loaded_at_first() -> None:
    answer = await call(listening().api, "GET", "/api/ps")
    assert answer.body == b'{"models":[]}'


@pytest.mark.parametrize(
    ("keep_alive", "left"),
    [("10m", 600), (60, 60), (5.5, 5), ("1h30m", 5400), (None, 300), ("0.5h", 1800)],
)
async def test_a_chat_keeps_its_model_as_long_as_it_says(keep_alive: object, left: float) -> None:
    listener = listening()
    assert (await chat(listener, keep_alive=keep_alive)).status == 200
    assert await loaded(listener) == {"up/basic:latest": left}


@pytest.mark.parametrize("keep_alive", [-1, -1.0, "-1s", "-5m"])
async def test_for_ever_is_a_date_some_centuries_ahead(keep_alive: object) -> None:
    listener = listening()
    await chat(listener, keep_alive=keep_alive)
    (left,) = (await loaded(listener)).values()
    assert 200 < left / (365 * 86400) < 400


async def test_a_call_of_another_api_keeps_the_default() -> None:
    listener = listening()
    assert (await chat(listener, path="/v1/chat/completions", keep_alive="10m")).status == 200
    assert await loaded(listener) == {"up/basic:latest": 300}


async def test_prompts_and_embeddings_keep_their_models_as_chats_do() -> None:
    listener = listening(embedders={"up": RuleBackend()})
    for path, sent in (
        ("/api/generate", {"model": "up/basic", "prompt": "hi", "stream": False, "keep_alive": "1m"}),
        ("/v1/completions", {"model": "up/plain", "prompt": "hi", "keep_alive": "1m"}),
        ("/api/embed", {"model": "up/emb", "input": ["a", "b"], "keep_alive": "2m"}),
        ("/api/embeddings", {"model": "emb", "prompt": "a", "keep_alive": -1}),
        ("/v1/embeddings", {"model": "sonnet", "input": "a"}),
    ):
        answer = await call(listener.api, "POST", path, body=json.dumps(sent).encode())
        assert answer.status == 200, path
    left = await loaded(listener)
    assert left.pop("emb:latest") > 10**9
    assert left == {
        "up/basic:latest": 60,
        "up/plain:latest": 300,
        "up/emb:latest": 120,
        "sonnet:latest": 300,
    }


@pytest.mark.parametrize("sent", [{"prompt": ""}, {}])
async def test_generate_without_a_prompt_loads_and_unloads(sent: dict[str, str]) -> None:
    listener = listening()
    for keep_alive, reason, left in (("2m", "load", {"basic:latest": 120}), (0, "unload", {})):
        body = json.dumps({"model": "basic", "keep_alive": keep_alive, **sent}).encode()
        answer = await call(listener.api, "POST", "/api/generate", body=body)
        assert (answer.json()["done_reason"], await loaded(listener)) == (reason, left)
    assert listener.backend.calls == []


async def test_keys_of_the_body_count_in_any_case() -> None:
    listener = listening()
    body = b'{"Model": "basic", "Messages": [{"role": "user", "content": "hi"}], "Keep_Alive": "10m"}'
    assert (await call(listener.api, "POST", "/api/chat", body=body)).status == 200
    assert await loaded(listener) == {"basic:latest": 600}


@pytest.mark.parametrize(
    ("keep_alive", "words"),
    [("10", "missing unit"), ("1d", "unknown unit"), (True, "keep_alive"), ([], "keep_alive")],
)
async def test_a_time_that_is_none_is_a_400_before_anybody_is_called(keep_alive: object, words: str) -> None:
    listener = listening()
    answer = await chat(listener, keep_alive=keep_alive)
    assert (answer.status, set(answer.json())) == (400, {"error"})
    assert words in answer.json()["error"]
    assert listener.backend.calls == []
    assert await loaded(listener) == {}


async def test_a_call_without_a_conversation_loads_and_unloads() -> None:
    listener = listening()
    assert (await chat(listener, "basic", messages=[], keep_alive="2m")).json()["done_reason"] == "load"
    assert await loaded(listener) == {"basic:latest": 120}
    assert (await chat(listener, "BASIC:latest", messages=[], keep_alive=0)).json()["done_reason"] == "unload"
    assert await loaded(listener) == {}
    assert listener.backend.calls == []


async def test_a_chat_that_keeps_nothing_leaves_nothing() -> None:
    listener = listening()
    await chat(listener)
    assert (await chat(listener, keep_alive="0s")).json()["message"]["content"] == "Hello"
    assert await loaded(listener) == {}


@pytest.mark.parametrize("model", ["zzz", "emb"])
async def test_a_call_that_cannot_be_made_loads_nothing(model: str) -> None:
    listener = listening()
    assert (await chat(listener, model)).status in (400, 404)
    assert (await chat(listener, model, messages=[])).status in (400, 404)
    assert await loaded(listener) == {}


async def test_a_provider_that_fails_has_loaded_nothing() -> None:
    listener = listening(TapeBackend(before=(Overloaded("too much"),)))
    assert (await chat(listener)).status == 503
    assert await loaded(listener) == {}


async def test_a_model_is_listed_while_it_answers_and_not_before() -> None:
    listener = listening(TapeBackend((*HELLO[:2], 0.2, *HELLO[2:]), before=(0.1,)))
    sent = json.dumps(ollama_body(keep_alive="10m")).encode()
    async with exchange(listener.api, "POST", "/api/chat", body=sent) as going:
        assert await loaded(listener) == {}
        await going.chunk(0)
        assert await loaded(listener) == {"up/basic:latest": 600}
        assert not going.finished
        await going.end()
        assert await loaded(listener) == {"up/basic:latest": 600}


async def test_an_entry_is_complete_and_agrees_with_the_models_card() -> None:
    listener = listening()
    await chat(listener)
    (entry,) = (await call(listener.api, "GET", "/api/ps")).json()["models"]
    tags = (await call(listener.api, "GET", "/api/tags")).json()["models"]
    (card,) = [model for model in tags if model["name"] == "up/basic:latest"]
    assert set(entry) == {
        *("name", "model", "size", "digest", "details"),
        *("expires_at", "size_vram", "context_length"),
    }
    assert {name: entry[name] for name in ("name", "model", "size", "digest")} == {
        name: card[name] for name in ("name", "model", "size", "digest")
    }
    assert entry["details"] == {
        name: value for name, value in card["details"].items() if not name.endswith("_length")
    }
    assert (entry["size_vram"], entry["context_length"]) == (entry["size"], CONTEXT)


async def test_the_longest_kept_comes_first() -> None:
    listener = listening()
    for model, keep_alive in (("up/basic", "1m"), ("sonnet", -1), ("up/plain", "1h")):
        await chat(listener, model, keep_alive=keep_alive)
    assert list(await loaded(listener)) == ["sonnet:latest", "up/plain:latest", "up/basic:latest"]


async def test_tags_of_a_call_are_no_part_of_a_name() -> None:
    listener = listening()
    assert (await chat(listener, "up/basic@team:web")).status == 200
    assert list(await loaded(listener)) == ["up/basic:latest"]


async def test_each_key_sees_what_it_has_loaded_itself() -> None:
    listener = listening(mode="keys")
    web, lab = listener.keys.issue("web"), listener.keys.issue("lab")
    await chat(listener, "up/basic", key=web)
    await chat(listener, "up/plain", key=lab)
    assert list(await loaded(listener, web)) == ["up/basic:latest"]
    assert list(await loaded(listener, lab)) == ["up/plain:latest"]
    await chat(listener, "up/basic", key=lab, messages=[], keep_alive=0)
    assert list(await loaded(listener, web)) == ["up/basic:latest"]


async def test_ollamas_client_reads_it() -> None:
    async with served(listening().api) as url:
        client = ollama.AsyncClient(host=url)
        try:
            stream = await client.chat("up/basic", [{"role": "user", "content": "hi"}], stream=True)
            async for part in stream:
                if part.done:
                    # Nothing waits for the end of the stream: whoever has read the last line may look at once.
                    assert [model.model for model in (await client.ps()).models] == ["up/basic:latest"]
            await client.chat("up/basic", messages=[], keep_alive=0)
            assert (await client.ps()).models == []
        finally:
            await client._client.aclose()
