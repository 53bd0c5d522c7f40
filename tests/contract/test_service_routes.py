"""The routes of the services that pass, against the whole listener and providers over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.dialects.splice import top_level
from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.build import build_backends
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.application.relay_services import ServiceBackend
from relay.domain.catalog import Alias, Catalog, ProviderEntry
from relay.domain.errors import Interrupted, Unreachable
from tests.contract.hostile_bodies.corpus import HOSTILE
from tests.support.asgi import Answer, call
from tests.support.fakes_http import RecordingHttp, ScriptedResponse, whole
from tests.unit.inbound_http.chatting import RELAY_HEADERS
from tests.unit.inbound_http.listener import Listener, listening, served

pytestmark = pytest.mark.anyio

CATALOG = Catalog(
    providers=tuple(ProviderEntry(name=kind, kind=kind) for kind in ("deepseek", "openai", "cohere")),
    virtuals=(Alias(name="mod", target="openai/omni-moderation-latest"),),
)
MODERATION = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}


def served_by(answer: Callable[[HttpRequest], Any], **options: Any) -> tuple[Listener, RecordingHttp]:
    """A listener in front of OpenAI's row, whose HTTP answers from `answer`."""
    http = RecordingHttp(answer)
    specs = [configured(entry.kind, {"api_key": "k-1"}, {}) for entry in CATALOG.providers]
    built = build_backends(specs, http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
    services: dict[str, ServiceBackend] = {
        entry.name: found
        for entry in CATALOG.providers
        if (found := built.find_service(entry.name)) is not None
    }
    return listening(catalog=CATALOG, services=services, **options), http


def of_type(content_type: str, *steps: Any, status: int = 200) -> ScriptedResponse:
    return ScriptedResponse(steps, status=status, headers={"content-type": content_type})


def as_json(value: Any, status: int = 200) -> Callable[[HttpRequest], ScriptedResponse]:
    return lambda request: of_type("application/json", json.dumps(value).encode(), status=status)


async def post(listener: Listener, path: str, body: Any, **headers: str) -> Answer:
    return await call(listener.api, "POST", path, headers=headers, body=json.dumps(body).encode())


async def test_a_moderation_reaches_its_provider_and_the_books() -> None:
    listener, http = served_by(as_json(MODERATION))
    answer = await post(listener, "/v1/moderations", {"model": "mod", "input": "hello"})
    assert answer.status == 200
    assert answer.json() == {**MODERATION, "model": "mod"}
    assert answer.headers.keys() >= RELAY_HEADERS
    [request] = http.requests
    assert request.url == "https://api.openai.com/v1/moderations"
    assert request.headers["authorization"] == "Bearer k-1"
    assert json.loads(request.body) == {"model": "omni-moderation-latest", "input": "hello"}
    [started], [ended] = listener.books.started, listener.books.ended
    assert (started.context.dialect, started.context.name_asked, started.context.model) == (
        "openai.moderations", "mod", "omni-moderation-latest",
    )  # fmt: skip
    assert (ended.outcome, ended.status, ended.usage_source) == ("ok", 200, "estimated")


@pytest.mark.parametrize("name", ["tts-1", "openai/tts-1", "gpt-4o-mini-tts"])
async def test_a_model_that_nobody_lists_is_found_by_the_row_of_its_service(name: str) -> None:
    listener, http = served_by(lambda request: of_type("audio/mpeg", b"ID3", b"\xff\xfb"))
    answer = await post(listener, "/v1/audio/speech", {"model": name, "input": "grüße", "voice": "alloy"})
    assert (answer.status, answer.body) == (200, b"ID3\xff\xfb")
    assert answer.headers["content-type"] == "audio/mpeg"
    assert json.loads(http.requests[0].body)["model"] == name.removeprefix("openai/")
    [started], [ended] = listener.books.started, listener.books.ended
    assert started.context.name_asked == name
    assert ended.usage.counts() == {"characters": 5}


async def test_speech_streams_as_it_comes() -> None:
    listener, _ = served_by(lambda request: of_type("audio/mpeg", b"a", b"b", b"c"))
    answer = await post(listener, "/v1/audio/speech", {"model": "tts-1", "input": "x"})
    assert [chunk.data for chunk in answer.chunks if chunk.data] == [b"a", b"b", b"c"]


async def test_images_are_counted() -> None:
    usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    listener, _ = served_by(as_json({"created": 1, "data": [{"b64_json": "eA=="}], "usage": usage}))
    answer = await post(listener, "/v1/images/generations", {"model": "gpt-image-1", "prompt": "a cat"})
    assert answer.json()["data"] == [{"b64_json": "eA=="}]
    assert listener.books.ended[0].usage.counts() == {"input_tokens": 5, "output_tokens": 7, "images": 1}
    assert listener.books.ended[0].usage_source == "reported"


async def test_an_event_stream_passes_and_its_counts_are_read() -> None:
    event = b'data: {"type":"image_generation.completed","usage":{"input_tokens":5,"output_tokens":7}}\n\n'
    listener, _ = served_by(lambda request: of_type("text/event-stream", event[:40], event[40:]))
    body = {"model": "gpt-image-1", "prompt": "a cat", "stream": True}
    answer = await post(listener, "/v1/images/generations", body)
    assert (answer.body, answer.headers["content-type"]) == (event, "text/event-stream")
    assert listener.books.ended[0].usage.counts() == {"input_tokens": 5, "output_tokens": 7}


async def test_a_ranking_reaches_cohere_and_its_units_the_books() -> None:
    ranking = {
        "id": "1",
        "results": [{"index": 0, "relevance_score": 0.9}],
        "meta": {"billed_units": {"search_units": 1}},
    }
    listener, http = served_by(as_json(ranking))
    answer = await post(listener, "/v1/rerank", {"model": "rerank-v3.5", "query": "q", "documents": ["d"]})
    assert answer.json() == ranking
    assert http.requests[0].url == "https://api.cohere.com/v2/rerank"
    assert listener.books.ended[0].usage.counts() == {"requests": 1}


async def test_a_provider_without_the_service_is_passed_over_and_said_so_where_it_is_the_only_one() -> None:
    listener, http = served_by(as_json(MODERATION))
    answer = await post(listener, "/v1/rerank", {"model": "deepseek/r", "query": "q", "documents": ["d"]})
    assert answer.status == 400
    assert "rerank" in answer.json()["error"]["message"]
    assert not http.requests
    assert not listener.books.started


async def test_an_unknown_model_is_not_found() -> None:
    listener, _ = served_by(as_json(MODERATION))
    answer = await post(listener, "/v1/audio/speech", {"model": "nobody", "input": "x"})
    assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_key_reaches_the_models_it_may_have_and_no_others() -> None:
    listener, _ = served_by(as_json(MODERATION), mode="keys")
    key = listener.keys.issue(models=("openai/omni-*",))
    allowed = await post(listener, "/v1/moderations", {"input": "x"}, authorization=f"Bearer {key}")
    refused = await post(
        listener, "/v1/audio/speech", {"model": "tts-1", "input": "x"}, authorization=f"Bearer {key}"
    )
    without = await post(listener, "/v1/moderations", {"input": "x"})
    assert [allowed.status, refused.status, without.status] == [200, 403, 401]


async def test_a_refusal_of_the_provider_is_one_of_ours_and_a_row() -> None:
    error = {"error": {"message": "no such voice", "type": "invalid_request_error", "code": "bad_voice"}}
    listener, _ = served_by(as_json(error, status=400))
    answer = await post(listener, "/v1/audio/speech", {"model": "tts-1", "input": "x"})
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "bad_voice"
    [ended] = listener.books.ended
    assert (ended.outcome, ended.status, ended.usage.counts()) == ("error", 400, {})


async def test_a_provider_that_is_away_is_told_and_a_row() -> None:
    listener, _ = served_by(lambda request: Unreachable("refused"))
    answer = await post(listener, "/v1/moderations", {"input": "x"})
    assert answer.status == 502
    assert listener.books.ended[0].outcome == "error"


async def test_an_answer_that_breaks_off_is_an_error_in_the_books() -> None:
    listener, _ = served_by(lambda request: of_type("text/event-stream", b"data: 1\n\n", Interrupted("cut")))
    answer = await post(listener, "/v1/images/generations", {"model": "dall-e-3", "prompt": "x"})
    assert answer.body.startswith(b"data: 1\n\n")
    assert b'"error"' in answer.body
    assert listener.books.ended[0].outcome == "error"


async def test_a_page_in_place_of_an_answer_is_never_one_that_a_browser_runs() -> None:
    listener, _ = served_by(lambda request: of_type("text/html", b"<script>"))
    answer = await post(listener, "/v1/audio/speech", {"model": "tts-1", "input": "x"})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_post_is_taken_and_forms_where_files_are_sent() -> None:
    listener, _ = served_by(as_json(MODERATION))
    get = await call(listener.api, "GET", "/v1/audio/speech")
    form = await post(listener, "/v1/audio/transcriptions", {"model": "whisper-1"})
    assert (get.status, form.status) == (405, 415)


async def test_openais_own_client_is_served() -> None:
    answers = {
        "/v1/moderations": whole({**MODERATION}, headers={"content-type": "application/json"}),
        "/v1/audio/speech": of_type("audio/mpeg", b"ID3"),
        "/v1/audio/transcriptions": whole(
            {"text": "hallo", "usage": {"type": "duration", "seconds": 3}},
            headers={"content-type": "application/json"},
        ),
    }
    listener, http = served_by(lambda request: answers[request.url.removeprefix("https://api.openai.com")])
    async with (
        served(listener.api) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
    ):
        speech = await client.audio.speech.create(model="tts-1", voice="alloy", input="hi")
        text = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"\r\n--RIFF\x00"))
        judged = await client.moderations.create(input="hi")
    assert (speech.content, text.text, judged.results[0].flagged) == (b"ID3", "hallo", False)
    assert b"RIFF\x00" in http.requests[1].body
    assert [ended.usage.counts() for ended in listener.books.ended[:2]] == [
        {"characters": 2},
        {"audio_seconds": 3},
    ]


@pytest.mark.parametrize("path", ["/v1/moderations", "/v1/images/generations", "/v1/audio/speech"])
async def test_hostile_bodies_are_served_or_refused_and_no_other_model_is_reached(path: str) -> None:
    listener, http = served_by(as_json(MODERATION))
    decent = b'{"model": "openai/gpt-image-1", "input": "hi"}'
    for hostile in HOSTILE:
        answer = await call(listener.api, "POST", path, body=hostile.spoil(decent))
        assert answer.status in (200, 400, 404), hostile.name
        if answer.status != 200:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    models = [started.context.model for started in listener.books.started]
    sent = [bytes(top_level(request.body)["model"]) for request in http.requests]
    assert [json.loads(model) for model in sent] == models


async def test_a_form_reaches_the_model_that_was_judged() -> None:
    listener, http = served_by(as_json({"text": "hi"}), mode="keys")
    key = listener.keys.issue(models=("openai/whisper-1",))
    lines = ["--b", 'Content-Disposition: form-data; name="model"', "", "MODEL", "--b--", ""]
    for model, status in (("whisper-1", 200), ("openai/whisper-1", 200), ("gpt-4o-transcribe", 403)):
        body = "\r\n".join(lines).replace("MODEL", model).encode()
        headers = {"content-type": "multipart/form-data; boundary=b", "authorization": f"Bearer {key}"}
        answer = await call(listener.api, "POST", "/v1/audio/transcriptions", headers=headers, body=body)
        assert answer.status == status, model
    assert all(b"\r\nwhisper-1\r\n" in request.body for request in http.requests)
    assert len(http.requests) == 2
