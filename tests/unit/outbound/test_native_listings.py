"""Lists of models of Gemini and Cohere: page by page, and what an entry says. Bodies are synthetic."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.build import build_listers
from relay.adapters.outbound.providers.discovery import HttpModelLister
from relay.adapters.outbound.providers.spec import configured, found_in_environment
from relay.adapters.outbound.system import SystemClock
from relay.domain.catalog import ModelEntry
from relay.domain.errors import Malformed
from tests.support.fakes_http import Answer, RecordingHttp, whole

pytestmark = pytest.mark.anyio


def lister(kind: str, answer: Callable[[HttpRequest], Answer]) -> tuple[HttpModelLister, RecordingHttp]:
    http = RecordingHttp(answer)
    spec = configured(kind, {"api_key": "k-1"}, {})
    [listed] = build_listers([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
    assert isinstance(listed.lister, HttpModelLister)
    return listed.lister, http


async def listed(kind: str, body: Any) -> dict[str, ModelEntry]:
    models, _ = lister(kind, lambda request: whole(body))
    return {model.id: model for model in await models.list_models()}


def google(name: str, *methods: str, **more: object) -> dict[str, object]:
    return {"name": f"models/{name}", "supportedGenerationMethods": list(methods), **more}


async def test_geminis_models_go_by_their_name_within_the_collection() -> None:
    found = await listed(
        "gemini",
        {
            "models": [
                google("gemini-3.5-flash", "generateContent", "countTokens", thinking=True, inputTokenLimit=1048576,
                       outputTokenLimit=65536),
                google("gemini-2.0-flash", "generateContent"),
                google("gemma-4-31b-it", "generateContent", thinking=True),
                google("gemini-embedding-001", "embedContent", "asyncBatchEmbedContent"),
                google("gemini-2.5-flash-image", "generateContent"),
                google("imagen-4.0-generate-001", "predict"),
                google("aqa", "generateAnswer"),
                {"supportedGenerationMethods": ["generateContent"]},
                "no entry",
            ]
        },
    )  # fmt: skip
    assert set(found) == {"gemini-3.5-flash", "gemini-2.0-flash", "gemma-4-31b-it", "gemini-embedding-001"}
    flash = found["gemini-3.5-flash"]
    assert (flash.context_tokens, flash.max_output_tokens) == (1048576, 65536)
    assert flash.capabilities.offered == {"completion", "tools", "vision", "audio", "thinking"}
    assert not flash.capabilities.known, "the list does not tell: nothing may be refused for it"
    assert "thinking" not in found["gemini-2.0-flash"].capabilities.offered
    assert found["gemma-4-31b-it"].capabilities.offered == {"completion", "thinking"}
    assert found["gemini-embedding-001"].capabilities.offered == {"embedding"}


async def test_coheres_models_are_for_chat_or_for_embeddings_or_for_nothing_here() -> None:
    found = await listed(
        "cohere",
        {
            "models": [
                {"name": "command-a-plus-05-2026", "endpoints": ["chat"], "context_length": 256000,
                 "features": ["tools", "vision", "reasoning"]},
                {"name": "command-r7b-12-2024", "endpoints": ["chat", "generate"], "features": None},
                {"name": "embed-v4.0", "endpoints": ["embed"]},
                {"name": "rerank-v3.5", "endpoints": ["rerank"]},
                {"name": "command", "endpoints": ["chat"], "is_deprecated": True},
                {"name": "embed-v2.0", "endpoints": ["embed"], "is_deprecated": True},
            ]
        },
    )  # fmt: skip
    assert set(found) == {"command-a-plus-05-2026", "command-r7b-12-2024", "embed-v4.0"}
    assert found["command-a-plus-05-2026"].context_tokens == 256000
    assert found["command-a-plus-05-2026"].capabilities.offered == {
        "completion",
        "tools",
        "vision",
        "thinking",
    }
    assert found["embed-v4.0"].capabilities.offered == {"embedding"}


@pytest.mark.parametrize(
    ("kind", "token", "pages"),
    [
        ("gemini", "nextPageToken", ("/models?pageSize=1000", "/models?pageSize=1000&pageToken=a%26b%3D%2F")),
        (
            "cohere",
            "next_page_token",
            ("/v1/models?page_size=1000", "/v1/models?page_size=1000&page_token=a%26b%3D%2F"),
        ),
    ],
)
async def test_a_list_is_read_page_by_page(kind: str, token: str, pages: tuple[str, str]) -> None:
    def answer(request: HttpRequest) -> Answer:
        number = int("oken=" in request.url)
        entry = {
            "name": f"m-{number}",
            "endpoints": ["chat"],
            "supportedGenerationMethods": ["generateContent"],
        }
        return whole({"models": [entry], **({} if number else {token: "a&b=/"})})

    models, http = lister(kind, answer)
    assert [model.id for model in await models.list_models()] == ["m-0", "m-1"]
    assert [request.url.removeprefix(configured(kind, {}, {}).base_url) for request in http.requests] == [
        *pages
    ]
    key = "x-goog-api-key" if kind == "gemini" else "authorization"
    assert all(key in request.headers for request in http.requests)


@pytest.mark.parametrize("token", [5, "", None, "x" * 5000, "line\nend"])
async def test_what_is_no_mark_of_a_page_ends_the_list(token: object) -> None:
    body = {"models": [google("gemini-3-flash", "generateContent")], "nextPageToken": token}
    models, http = lister("gemini", lambda request: whole(body))
    assert len(await models.list_models()) == 1
    assert len(http.requests) == 1


async def test_a_list_whose_marks_never_end_is_left_after_some_pages() -> None:
    body = {"models": [google("gemini-3-flash", "generateContent")], "nextPageToken": "again"}
    models, http = lister("gemini", lambda request: whole(body))
    assert len(await models.list_models()) == 1
    assert len(http.requests) == 20


@pytest.mark.parametrize("body", [b"{}", b'{"models":{}}', b"nope"])
async def test_what_is_no_list_is_malformed(body: bytes) -> None:
    models, _ = lister("gemini", lambda request: whole(body))
    with pytest.raises(Malformed):
        await models.list_models()


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ("GEMINI_API_KEY", "gemini"),
        ("GOOGLE_API_KEY", "gemini"),
        ("GOOGLE_API_KEY_FILE", "gemini"),
        ("COHERE_API_KEY", "cohere"),
        ("CO_API_KEY", "cohere"),
    ],
)
def test_a_key_is_found_under_either_of_its_names(variable: str, kind: str) -> None:
    assert [spec.kind for spec in found_in_environment({variable: "k-1"})] == [kind]
    assert variable.removesuffix("_FILE") in configured(kind, {}, {}).key_names


def test_bytes_never_pass_to_a_provider_whose_dialect_no_client_speaks() -> None:
    assert not configured("gemini", {}, {}).pass_through
    assert not configured("cohere", {}, {}).pass_through


def test_what_a_text_is_for_can_be_configured() -> None:
    assert configured("cohere", {}, {}).embedding_quirks.set_default == {"input_type": "search_document"}
    section = {"embedding_quirks": {"set_default": {"input_type": "clustering"}}}
    assert configured("cohere", section, {}).embedding_quirks.set_default == {"input_type": "clustering"}
