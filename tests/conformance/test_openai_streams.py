"""Streams of OpenAI's chat: the order of chunks, usage, the end, and what providers put in between."""

from typing import Any

import openai
import pytest
from pydantic import SecretStr

from tests.conformance.asking import TEXT, chat, deltas_of, every_provider
from tests.conformance.conftest import Place
from tests.conformance.wire import Api
from tests.support.books import row_of
from tests.support.official_clients import openai_client
from tests.support.upstream import ScriptedUpstream
from tests.support.upstream.answers import UNICODE_PIECES
from tests.support.upstream.openai_wire import source

pytestmark = pytest.mark.e2e

USAGE = {"include_usage": True}
PAUSE_MS = 150


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@pytest.mark.conformance("openai", 51)
@every_provider
def test_a_stream_is_plain_sse_that_flows_while_it_is_made(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic?delay_ms={PAUSE_MS}", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert "content-length" not in answer.headers
    (first_s, first), *_, (last_s, _) = answer.pieces
    assert first.startswith(b"data: ")
    assert last_s - first_s > 2 * PAUSE_MS / 1000


@pytest.mark.conformance("openai", 52)
@every_provider
def test_the_role_comes_first_and_once(api: Api, provider: str) -> None:
    first, *rest = deltas_of(chat(api, f"{provider}/basic", stream=True))
    assert first["role"] == "assistant"
    assert all("role" not in delta for delta in rest)


@pytest.mark.conformance("openai", 53)
@every_provider
def test_all_chunks_are_of_one_answer(api: Api, provider: str) -> None:
    chunks = chat(api, f"{provider}/basic", stream=True, stream_options=USAGE).chunks
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["id"]
    assert isinstance(chunks[0]["created"], int)


@pytest.mark.conformance("openai", 54)
@every_provider
def test_one_chunk_of_a_choice_finishes_it_and_says_nothing_else(api: Api, provider: str) -> None:
    chunks = chat(api, f"{provider}/basic", stream=True).chunks
    finishes = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    (finish,) = finishes
    assert (finish["delta"], finish["finish_reason"]) == ({}, "stop")
    assert finish in chunks[-1]["choices"]


@pytest.mark.conformance("openai", 55)
@every_provider
def test_usage_that_was_asked_for_comes_last_and_alone(api: Api, provider: str) -> None:
    *others, last = chat(api, f"{provider}/basic", stream=True, stream_options=USAGE).chunks
    assert last["choices"] == []
    usage = last["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (1, 4, 5)
    assert others
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in others)


@pytest.mark.conformance("openai", 56)
@every_provider
def test_usage_that_was_not_asked_for_is_booked_and_not_sent(place: Place, provider: str) -> None:
    answer = chat(place.api, f"{provider}/basic", stream=True)
    assert all(chunk["choices"] and chunk.get("usage") is None for chunk in answer.chunks)
    assert place.relay is not None
    row = row_of(place.relay.folder, answer.headers["x-request-id"])
    assert row["usage_source"] == "reported"
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (1, 4)


@pytest.mark.conformance("openai", 57, 58)
@every_provider
@pytest.mark.parametrize("script", ["basic", "think", "fault/no_done", "fault/two_done"])
def test_a_stream_is_made_of_data_and_ends_with_done(api: Api, provider: str, script: str) -> None:
    answer = chat(api, f"{provider}/{script}", stream=True)
    assert answer.events[-1] == "[DONE]"
    assert answer.events.count("[DONE]") == 1
    fields = {line.partition(b":")[0] for line in answer.body.split(b"\n") if line}
    assert fields <= {b"data", b""}


@pytest.mark.conformance("openai", 63)
@every_provider
def test_openai_pythons_helper_gathers_text_and_usage(api: Api, provider: str) -> None:
    with (
        openai_client(api.url) as client,
        client.chat.completions.stream(
            model=f"{provider}/basic",
            messages=[{"role": "user", "content": "hi"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5


@pytest.mark.conformance("openai", 65)
@every_provider
def test_langchain_counts_usage_once(api: Api, provider: str) -> None:
    from langchain_openai import ChatOpenAI  # takes seconds, which only this test shall pay

    with openai.DefaultHttpxClient() as http:
        model = ChatOpenAI(
            model=f"{provider}/basic",
            base_url=f"{api.url}/v1",
            api_key=SecretStr("none"),
            http_client=http,
            max_retries=0,
            stream_usage=True,
        )
        pieces = list(model.stream("hi"))
    usage = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
    assert sum(one["input_tokens"] for one in usage) == 1
    assert sum(one["output_tokens"] for one in usage) == 4
    assert "".join(str(piece.content) for piece in pieces) == TEXT


@pytest.mark.conformance("openai", 66)
@every_provider
def test_characters_of_several_bytes_survive_any_cut(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/fault/split?of=unicode", stream=True)
    assert text_of(answer.chunks) == "".join(UNICODE_PIECES)


@pytest.mark.conformance("openai", 67)
@every_provider
def test_a_providers_comments_are_not_passed_on_as_data(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/fault/pings?after_chunks=2&for_ms=300&every_ms=50", stream=True)
    assert text_of(answer.chunks) == TEXT
    assert {chunk["object"] for chunk in answer.chunks} == {"chat.completion.chunk"}


@pytest.mark.conformance("openai", 68)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_chunks_without_choices_are_skipped(api: Api, upstream: ScriptedUpstream, provider: str) -> None:
    answer = chat(api, f"{provider}/fault/odd_chunks", stream=True)
    assert text_of(answer.chunks) == TEXT
    assert all(isinstance(chunk["choices"], list) for chunk in answer.chunks)
    assert upstream.ledger.chats[-1].completed
    with openai_client(api.url) as client:
        chunks = list(
            client.chat.completions.create(
                model=f"{provider}/fault/odd_chunks",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
            )
        )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT


@pytest.mark.conformance("openai", 69)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_annotations_come_in_one_delta_however_the_provider_sends_them(api: Api, provider: str) -> None:
    deltas = deltas_of(chat(api, f"{provider}/cited?sources=3", stream=True))
    (citing,) = [delta for delta in deltas if "annotations" in delta]
    assert [each["url_citation"]["url"] for each in citing["annotations"]] == [
        source(number)["url"] for number in range(3)
    ]
    assert deltas[-1] == {}


@pytest.mark.conformance("openai", 69)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_openai_pythons_helper_gathers_annotations(api: Api, provider: str) -> None:
    with (
        openai_client(api.url) as client,
        client.chat.completions.stream(
            model=f"{provider}/cited?sources=3", messages=[{"role": "user", "content": "hi"}]
        ) as stream,
    ):
        message = stream.get_final_completion().choices[0].message
    assert message.content == TEXT
    assert len(message.annotations or ()) == 3
