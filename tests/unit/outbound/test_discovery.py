"""Lists of models, as each vendor writes them and as a hostile one might. Bodies are synthetic."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.adapters.dialects.ollama_chat import DIALECT
from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.build import build_listers
from relay.adapters.outbound.providers.discovery import HttpModelLister
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import ModelEntry
from relay.domain.errors import BadCredential, Interrupted, Limited, Malformed, TimedOut, UpstreamError
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole

pytestmark = pytest.mark.anyio

type Serve = Callable[[HttpRequest], Answer]


def lister(kind: str, answer: Serve | Answer, **section: object) -> tuple[HttpModelLister, RecordingHttp]:
    http = RecordingHttp(answer if callable(answer) else lambda request: answer)
    base_url = {"base_url": "http://localhost:1/v1"} if kind == "openai-compatible" else {}
    spec = configured(kind, {"api_key": "k-1", **base_url, **section}, {})
    [listed] = build_listers(
        [spec],
        http=http,
        dialects={"openai.chat": DIALECT, "ollama.chat": DIALECT},
        clock=SystemClock(),
        environ={},
    )
    assert isinstance(listed.lister, HttpModelLister)
    return listed.lister, http


async def listed(kind: str, body: Any, **section: object) -> tuple[ModelEntry, ...]:
    models, _ = lister(kind, whole(body), **section)
    return tuple(await models.list_models())


def known(*words: Capability) -> Capabilities:
    return Capabilities(offered=frozenset(words), known=True)


def offered(*words: Capability) -> Capabilities:
    return Capabilities(offered=frozenset(words))


async def test_openais_list_is_freed_of_what_is_neither_for_chat_nor_for_embeddings() -> None:
    ids = [
        "gpt-5",
        "gpt-4o",
        "o3",
        "o3-pro",
        "text-embedding-3-small",
        "whisper-1",
        "gpt-4o-mini-tts",
        "dall-e-3",
    ]
    ids += ["omni-moderation-latest", "gpt-3.5-turbo-instruct", "ft:gpt-4o:org::id", "gpt-image-1", "sora-2"]
    ids += [
        "gpt-4o-realtime-preview",
        "gpt-4o-transcribe",
        "davinci-002",
        "gpt-5-codex",
        "o4-mini-deep-research",
    ]
    body = {
        "object": "list",
        "data": [{"id": name, "created": 1700000000, "object": "model"} for name in ids],
    }
    models, http = lister("openai", whole(body))
    found = await models.list_models()
    assert [model.id for model in found] == [
        "gpt-5",
        "gpt-4o",
        "o3",
        "text-embedding-3-small",
        "ft:gpt-4o:org::id",
    ]
    assert found[0] == ModelEntry(id="gpt-5", created=1700000000)
    assert found[3].capabilities == known("embedding")
    [request] = http.requests
    assert (request.method, request.url) == ("GET", "https://api.openai.com/v1/models")
    assert request.headers["authorization"] == "Bearer k-1"
    assert http.responses[0].closed


async def test_groqs_list_has_windows_and_models_that_are_off() -> None:
    data = [
        {"id": "llama-3.3-70b", "active": True, "context_window": 131072, "max_completion_tokens": 32768},
        {"id": "old", "active": False},
    ]
    assert await listed("groq", {"data": data}) == (
        ModelEntry(id="llama-3.3-70b", context_tokens=131072, max_output_tokens=32768),
    )


async def test_openrouters_list_says_what_a_model_can_do() -> None:
    entry = {
        "id": "openai/gpt-5-nano",
        "created": 1754587402,
        "context_length": 400000,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "top_provider": {"max_completion_tokens": 128000},
        "supported_parameters": ["reasoning", "tools", "max_tokens"],
    }
    painter = {"id": "painter", "architecture": {"output_modalities": ["image"]}, "supported_parameters": []}
    bare = {"id": "bare"}
    assert await listed("openrouter", {"data": [entry, painter, bare]}) == (
        ModelEntry(
            id="openai/gpt-5-nano",
            capabilities=known("completion", "tools", "vision", "thinking"),
            context_tokens=400000,
            max_output_tokens=128000,
            created=1754587402,
        ),
        ModelEntry(id="bare"),
    )


async def test_pages_are_followed_within_the_providers_own_address() -> None:
    def answer(request: HttpRequest) -> Answer:
        if "offset=1" in request.url:
            return whole({"data": [{"id": "b"}], "links": {"next": "https://elsewhere.example/steal"}})
        return whole({"data": [{"id": "a"}], "links": {"next": "/api/v1/models?offset=1"}})

    models, http = lister("openrouter", answer, embeddings=[])
    assert [model.id for model in await models.list_models()] == ["a", "b"]
    assert [request.url for request in http.requests] == [
        "https://openrouter.ai/api/v1/models",
        "https://openrouter.ai/api/v1/models?offset=1",
    ]


async def test_pages_that_never_end_are_cut() -> None:
    endless = {"data": [{"id": "a"}], "links": {"next": "?p=1"}}
    models, http = lister("openrouter", lambda request: whole(endless), embeddings=[])
    assert [model.id for model in await models.list_models()] == ["a"]
    assert len(http.requests) == 20


async def test_mistrals_list_has_flags() -> None:
    flags = {"completion_chat": True, "function_calling": True, "vision": False, "reasoning": True}
    data = [
        {"id": "magistral", "max_context_length": 40000, "capabilities": flags},
        {"id": "mistral-embed", "capabilities": {**flags, "completion_chat": False}},
        {"id": "old", "capabilities": {"completion_chat": True, "function_calling": True}},
    ]
    assert await listed("mistral", {"data": data}) == (
        ModelEntry(
            id="magistral", context_tokens=40000, capabilities=known("completion", "tools", "thinking")
        ),
        ModelEntry(id="mistral-embed", capabilities=known("embedding")),
        ModelEntry(id="old", capabilities=offered("completion", "tools")),
    )


async def test_openrouters_embedding_models_come_from_a_list_of_their_own() -> None:
    def answer(request: HttpRequest) -> Answer:
        if request.url.endswith("/embeddings/models"):
            return whole({"data": [{"id": "openai/text-embedding-3-small", "context_length": 8192}]})
        return whole({"data": [{"id": "bare"}]})

    models, _ = lister("openrouter", answer)
    assert await models.list_models() == (
        ModelEntry(id="bare"),
        ModelEntry(id="openai/text-embedding-3-small", context_tokens=8192, capabilities=known("embedding")),
    )


@pytest.mark.parametrize("trouble", [whole({}, status=500), ScriptedResponse((60.0,))])
async def test_a_list_of_embedding_models_that_does_not_come_costs_no_other_model(trouble: Answer) -> None:
    models, _ = lister(
        "openrouter",
        lambda request: trouble if "embeddings" in request.url else whole({"data": [{"id": "bare"}]}),
    )
    models.limit_s = 0.05
    assert await models.list_models() == (ModelEntry(id="bare"),)


async def test_a_provider_whose_embeddings_are_switched_off_lists_none() -> None:
    body = {"data": [{"id": "gpt-5"}, {"id": "text-embedding-3-small"}]}
    assert await listed("openai", body, embeddings=[]) == (ModelEntry(id="gpt-5"),)


async def test_togethers_list_is_a_bare_array() -> None:
    data = [
        {"id": "llama", "type": "chat", "context_length": 8192},
        {"id": "flux", "type": "image"},
        {"id": "bge", "type": "embedding"},
        {"id": "x"},
    ]
    found = await listed("together", data)
    assert found == (
        ModelEntry(id="llama", context_tokens=8192),
        ModelEntry(id="bge", capabilities=known("embedding")),
        ModelEntry(id="x"),
    )


async def test_fireworks_and_deepinfra_and_cerebras_say_a_part() -> None:
    data = [{"id": "a", "supports_chat": True, "supports_tools": True, "context_length": 4096}]
    data += [{"id": "b", "supports_chat": False}]
    assert await listed("fireworks", {"data": data}) == (
        ModelEntry(id="a", context_tokens=4096, capabilities=offered("completion", "tools")),
    )
    deep = [{"id": "a", "metadata": {"context_length": 4096, "max_tokens": 1}}, {"id": "b", "metadata": None}]
    assert await listed("deepinfra", {"data": deep}) == (
        ModelEntry(id="a", context_tokens=4096),
        ModelEntry(id="b"),
    )
    fast = [
        {"id": "a", "context_length": 1, "max_output_length": 2, "supported_features": ["tools", "reasoning"]}
    ]
    models, http = lister("cerebras", whole({"data": fast}))
    assert list(await models.list_models()) == [
        ModelEntry(
            id="a",
            context_tokens=1,
            max_output_tokens=2,
            capabilities=offered("completion", "tools", "thinking"),
        )
    ]
    assert http.requests[0].url == "https://api.cerebras.ai/v1/models?format=openrouter"


async def test_entries_that_cannot_be_read_are_left_out_and_the_rest_is_kept() -> None:
    data: list[Any] = [None, 7, "text", [], {}, {"id": 5}, {"id": ""}, {"id": " padded "}, {"id": "a\nb"}]
    data += [{"id": "x" * 513}, {"id": "ok", "created": "soon", "context_length": -1}, {"id": "ok"}]
    data += [
        {"id": "floats", "created": 1.5e9, "context_length": "8192"},
        {"id": "true", "context_length": True},
    ]
    data += [{"id": "huge", "context_length": 10**400, "created": 2**60}]
    assert await listed("openai", {"data": data}) == (
        ModelEntry(id="ok"),
        ModelEntry(id="floats", created=1500000000, context_tokens=8192),
        ModelEntry(id="true"),
        ModelEntry(id="huge"),
    )


BROKEN: list[bytes] = [
    b"",
    b"<html>",
    b"{}",
    b"null",
    b'"x"',
    b'{"data":{}}',
    b'{"data":[{"id":"a"}',
    b'{"model":[]}',
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", BROKEN)
async def test_a_body_that_is_no_list_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        await listed("openai", body)


async def test_a_byte_order_mark_is_tolerated() -> None:
    assert await listed("openai", b'\xef\xbb\xbf {"data":[{"id":"a"}]}') == (ModelEntry(id="a"),)


async def test_a_refusal_is_the_providers_and_a_broken_answer_too() -> None:
    for answer, kind in (
        (whole({"error": "no"}, status=401), BadCredential),
        (whole({"error": "slow"}, status=429), Limited),
        (whole(b"", status=302), Malformed),
        (ScriptedResponse((b"{", Interrupted("cut"))), Interrupted),
        (Interrupted("cut"), Interrupted),
    ):
        models, http = lister("openai", answer)
        with pytest.raises(kind):
            await models.list_models()
        assert all(response.closed for response in http.responses)


async def test_a_provider_that_hangs_is_given_up() -> None:
    models, _ = lister("openai", ScriptedResponse((b"[", 5.0)))
    models.limit_s = 0.05
    with pytest.raises(TimedOut):
        await models.list_models()


TAG = {
    "name": "qwen3:8b",
    "model": "qwen3:8b",
    "modified_at": "2026-08-21T10:00:00.123456789+02:00",
    "size": 5200000000,
    "digest": "d1",
    "details": {"family": "qwen3", "parameter_size": "8.2B", "quantization_level": "Q4_K_M"},
}
CARD = {
    "license": "long " * 1000,
    "capabilities": ["completion", "tools", "thinking", "image"],
    "model_info": {
        "general.architecture": "qwen3",
        "qwen3.context_length": 40960,
        "qwen3.embedding_length": 4096,
        "tokenizer.ggml.tokens": None,
    },
}
COMPLETE = ModelEntry(
    id="qwen3:8b",
    capabilities=known("completion", "tools", "thinking"),
    context_tokens=40960,
    created=1787299200,
    size_bytes=5200000000,
    family="qwen3",
    parameter_size="8.2B",
    quantization="Q4_K_M",
    embedding_length=4096,
    digest="d1",
)


def ollama(tags: list[Any], card: Any = CARD) -> Serve:
    def answer(request: HttpRequest) -> Answer:
        if request.url.endswith("/api/tags"):
            return whole({"models": tags})
        return card if isinstance(card, ScriptedResponse | UpstreamError) else whole(card)

    return answer


async def test_a_new_ollama_tells_everything_in_its_tags() -> None:
    told = {**TAG, "capabilities": CARD["capabilities"]}
    told["details"] = {**TAG["details"], "context_length": 40960, "embedding_length": 4096}  # type: ignore[dict-item]
    models, http = lister("ollama", ollama([told]))
    assert list(await models.list_models()) == [COMPLETE]
    assert [request.url for request in http.requests] == ["http://127.0.0.1:11434/api/tags"]


async def test_an_older_ollama_is_asked_for_a_card_once_per_digest() -> None:
    copy = {**TAG, "name": "copy:latest", "modified_at": None}
    models, http = lister("ollama", ollama([TAG, copy]))
    for _ in range(2):
        first, second = await models.list_models()
        assert first == COMPLETE
        assert (second.id, second.created, second.capabilities) == ("copy:latest", 0, COMPLETE.capabilities)
    asked = [request for request in http.requests if request.url.endswith("/api/show")]
    assert [json.loads(request.body) for request in asked] == [{"model": "copy:latest"}]
    assert asked[0].method == "POST"


@pytest.mark.parametrize(
    "card", [whole({"error": "no"}, status=500), whole(b"garbage"), Interrupted("cut"), {"model_info": None}]
)
async def test_a_model_whose_card_does_not_come_is_listed_without_it(card: Any) -> None:
    models, _ = lister("ollama", ollama([TAG], card))
    [model] = await models.list_models()
    assert model.id == "qwen3:8b"
    assert not model.capabilities.known


async def test_a_card_that_hangs_does_not_hold_up_the_list() -> None:
    models, _ = lister("ollama", ollama([TAG], ScriptedResponse((5.0,))))
    models.limit_s = 0.05
    assert [model.id for model in await models.list_models()] == ["qwen3:8b"]


async def test_an_ollama_without_models_lists_none() -> None:
    assert await listed("ollama", {"models": []}) == ()
    assert await listed("ollama", {"models": None}) == ()


async def test_static_models_and_missing_keys_need_no_lister() -> None:
    http = RecordingHttp(lambda request: whole({}))
    specs = [
        configured("openai", {"api_key": "k", "models": ["gpt-5"]}, {}),
        configured("groq", {}, {}),
        configured("ollama", {}, {}),
    ]
    static, keyless, free = build_listers(
        specs,
        http=http,
        dialects={"openai.chat": DIALECT, "ollama.chat": DIALECT},
        clock=SystemClock(),
        environ={},
    )
    assert static.models == (ModelEntry(id="gpt-5"),)
    assert static.lister is None
    assert (keyless.lister, keyless.problem) == (None, "no key: set GROQ_API_KEY")
    assert free.lister is not None
    assert free.problem == ""
