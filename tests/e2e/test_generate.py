"""Prompts of the official clients, on a real relay before providers of both dialects."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ollama
import openai
import pytest

from tests.support.books import Row, row_of
from tests.support.declarations import SCHEMA
from tests.support.official_clients import ollama_client, openai_client
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream, everything_ended

pytestmark = pytest.mark.e2e

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])
streamed = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])

PLACES = {"up": "/v1/chat/completions", "oll": "/api/generate"}
"""Where a prompt of Ollama's reaches the provider."""


@dataclass(frozen=True)
class Answer:
    """What a client ended up with."""

    text: str
    thinking: str
    finish: str | None
    tokens: tuple[int, int]
    context: Sequence[int] | None
    request_id: str


def generate(
    relay: ServerProcess, model: str, prompt: str = "Tell me.", *, stream: bool = False, **options: Any
) -> Answer:
    ids: list[str] = []
    with ollama_client(relay.url, ids) as client:
        call: Any = client.generate  # its overloads do not take a `stream` that is not known
        answer = call(model, prompt, stream=stream, **options)
        parts = list(answer) if stream else [answer]
    assert all(part.model == model for part in parts)
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert not any(part.context for part in parts[:-1])
    last = parts[-1]
    return Answer(
        text="".join(part.response for part in parts),
        thinking="".join(part.thinking or "" for part in parts),
        finish=last.done_reason,
        tokens=(last.prompt_eval_count or 0, last.eval_count or 0),
        context=last.context,
        request_id=ids[0],
    )


def complete(
    relay: ServerProcess, model: str, prompt: Any = "Tell me.", *, stream: bool = False, **options: Any
) -> Answer:
    ids: list[str] = []
    if stream:
        options["stream_options"] = {"include_usage": True}
    with openai_client(relay.url, ids) as client:
        answer: Any = client.completions.create(model=model, prompt=prompt, stream=stream, **options)
        parts = list(answer) if stream else [answer]
    assert all((part.model, part.object) == (model, "text_completion") for part in parts)
    assert len({part.id for part in parts}) == 1
    choices = [choice for part in parts for choice in part.choices]
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    usage = parts[-1].usage
    return Answer(
        text="".join(choice.text for choice in choices),
        thinking="",
        finish=choices[-1].finish_reason,
        tokens=(usage.prompt_tokens, usage.completion_tokens),
        context=None,
        request_id=ids[0],
    )


def booked(relay: ServerProcess, upstream: ScriptedUpstream, answer: Answer, dialect: str) -> Row:
    """The ledger's row: its tokens are the client's, and the provider's own count."""
    row = row_of(relay.folder, answer.request_id)
    call = [call for call in upstream.ledger.wait(everything_ended) if call.is_chat][-1]
    assert (row["dialect"], row["outcome"], row["usage_source"]) == (dialect, "ok", "reported")
    counted = (row["usage"]["input_tokens"], row["usage"]["output_tokens"])
    assert counted == answer.tokens == (call.tokens_in, call.tokens_out)
    return row


@provider_of
@streamed
def test_a_prompt_is_answered_and_booked(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    answer = generate(relay, f"{provider}/basic?chunks=5", stream=stream, system="Be brief.")
    assert (answer.text, answer.finish) == ("000 001 002 003 004 ", "stop")
    row = booked(relay, upstream, answer, "ollama.generate")
    assert (row["provider"], row["stream"], row["losses"]) == (provider, stream, ())
    call = upstream.ledger.chats[-1]
    assert call.path == PLACES[provider]
    assert answer.tokens[0] == 5, "the prompt and what the model is told"
    assert (answer.context is None) == (provider == "up")


@provider_of
@streamed
def test_an_image_reaches_the_provider_byte_by_byte(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    picture = png()
    answer = generate(relay, f"{provider}/image", stream=stream, images=[picture])
    digest = hashlib.sha256(picture).hexdigest()
    assert answer.text == f"image/png {len(picture)} bytes sha256={digest}"
    booked(relay, upstream, answer, "ollama.generate")


@provider_of
@streamed
def test_thinking_is_kept_apart_from_the_response(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    answer = generate(relay, f"{provider}/think", stream=stream, think=True)
    assert (answer.thinking, answer.text) == ("h00 h01 h02 ", "000 001 002 003 ")
    booked(relay, upstream, answer, "ollama.generate")
    assert generate(relay, f"{provider}/think", stream=stream, think=False).thinking == ""


@provider_of
@streamed
def test_a_schema_reaches_the_provider(relay: ServerProcess, provider: str, stream: bool) -> None:
    answer = generate(relay, f"{provider}/schema", stream=stream, format=SCHEMA)
    assert json.loads(answer.text) == {"city": "abc"}


@provider_of
@streamed
def test_a_cut_at_the_token_limit_is_told(relay: ServerProcess, provider: str, stream: bool) -> None:
    answer = generate(relay, f"{provider}/length", stream=stream, options={"num_predict": 2})
    assert (answer.text, answer.finish) == ("000 001 ", "length")


@provider_of
@streamed
def test_text_that_breaks_line_readers_survives(relay: ServerProcess, provider: str, stream: bool) -> None:
    answer = generate(relay, f"{provider}/unicode", stream=stream)
    assert answer.text.startswith("line\u2028sep para\u2029sep next\u0085line cr\rlf\r\n emoji \U0001f600 ")


@streamed
def test_context_goes_to_an_ollama_and_comes_back(
    relay: ServerProcess, upstream: ScriptedUpstream, stream: bool
) -> None:
    first = generate(relay, "oll/basic", stream=stream)
    assert first.context == [2, 4]
    second = generate(relay, "oll/basic", stream=stream, context=first.context)
    assert upstream.ledger.chats[-1].body["context"] == [2, 4]
    assert second.context == [2, 4, 2, 4]


def test_raw_and_template_reach_an_ollama_as_they_are(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    assert generate(relay, "oll/echo", "[INST] hi", raw=True).text == "[INST] hi"
    assert upstream.ledger.chats[-1].body["raw"] is True
    generate(relay, "oll/echo", template="{{ .Prompt }}", keep_alive="5m", options={"num_ctx": 2048})
    body = upstream.ledger.chats[-1].body
    assert (body["template"], body["keep_alive"], body["options"]) == (
        "{{ .Prompt }}",
        "5m",
        {"num_ctx": 2048},
    )


def test_what_a_provider_of_chats_cannot_carry_is_in_the_books(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    answer = generate(relay, "up/echo", template="x", context=[1, 2], keep_alive="5m")
    row = booked(relay, upstream, answer, "ollama.generate")
    assert set(row["losses"]) == {
        "ollama.generate:template",
        "ollama.generate:context",
        "ollama.generate:keep_alive",
    }
    with pytest.raises(ollama.ResponseError, match="takes chats only") as raw:
        generate(relay, "up/echo", raw=True)
    assert raw.value.status_code == 400


@streamed
def test_the_middle_is_filled_by_an_ollama_that_can(
    relay: ServerProcess, upstream: ScriptedUpstream, stream: bool
) -> None:
    answer = generate(relay, "oll/fill", "def f(", stream=stream, suffix="return x")
    assert answer.text == "[def f(|return x]"
    booked(relay, upstream, answer, "ollama.generate")
    bridged = complete(relay, "oll/fill", "def f(", stream=stream, suffix="return x")
    assert bridged.text == "[def f(|return x]"
    assert upstream.ledger.chats[-1].path == "/api/generate"
    booked(relay, upstream, bridged, "openai.completions")


@pytest.mark.parametrize("model", ["oll/basic", "oll/basic?chunks=1", "up/basic"])
def test_whoever_cannot_fill_the_middle_says_so(relay: ServerProcess, model: str) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support insert") as refused:
        generate(relay, model, suffix="}")
    assert refused.value.status_code == 400
    assert refused.value.error.startswith("registry.ollama.ai/")
    with pytest.raises(openai.BadRequestError, match="does not support insert"):
        complete(relay, model, suffix="}")


def test_loading_and_unloading_ask_no_provider(relay: ServerProcess, upstream: ScriptedUpstream) -> None:
    asked = len(upstream.ledger.chats)
    with ollama_client(relay.url) as client:
        assert client.generate("oll/basic", keep_alive="10m").done_reason == "load"
        assert "oll/basic:latest" in {model.model for model in client.ps().models}
        assert client.generate("oll/basic", keep_alive=0).done_reason == "unload"
        assert "oll/basic:latest" not in {model.model for model in client.ps().models}
    assert len(upstream.ledger.chats) == asked


@provider_of
@streamed
def test_a_failing_provider_is_told_in_the_clients_words(
    relay: ServerProcess, provider: str, stream: bool
) -> None:
    with pytest.raises(ollama.ResponseError) as limited:
        generate(relay, f"{provider}/fault/429?message=slow down", stream=stream)
    assert (limited.value.status_code, limited.value.error) == (429, "slow down")
    with pytest.raises(ollama.ResponseError, match="fell over"):
        generate(relay, f"{provider}/fault/error_event?after_chunks=2", stream=stream)
    with pytest.raises(openai.RateLimitError, match="slow down"):
        complete(relay, f"{provider}/fault/429?message=slow down", stream=stream)


@provider_of
def test_an_answer_that_breaks_off_is_a_failure_and_a_row(relay: ServerProcess, provider: str) -> None:
    ids: list[str] = []
    model = f"{provider}/fault/cut?after_chunks=2"
    with ollama_client(relay.url, ids) as client, pytest.raises(ollama.ResponseError):
        list(client.generate(model, "hi", stream=True))
    row = row_of(relay.folder, ids[0])
    assert (row["dialect"], row["outcome"], row["usage_source"]) == ("ollama.generate", "error", "estimated")
    assert row["usage"]["output_tokens"] == 2


@provider_of
@streamed
def test_a_completion_is_answered_and_booked(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    answer = complete(relay, f"{provider}/basic?chunks=5", stream=stream)
    assert (answer.text, answer.finish) == ("000 001 002 003 004 ", "stop")
    row = booked(relay, upstream, answer, "openai.completions")
    assert (row["provider"], row["stream"], row["losses"]) == (provider, stream, ())
    sent = upstream.ledger.chats[-1].body
    assert [message["role"] for message in sent["messages"]] == ["user"]
    assert not {"max_tokens", "max_completion_tokens"} & {*sent, *sent.get("options", {})}


@provider_of
@streamed
def test_a_completion_is_limited_and_scored_when_asked(
    relay: ServerProcess, provider: str, stream: bool
) -> None:
    assert complete(relay, f"{provider}/length", stream=stream, max_tokens=2).text == "000 001 "
    with openai_client(relay.url) as client:
        model = f"{provider}/logprobs?chunks=2"
        if stream:
            parts = client.completions.create(model=model, prompt="hi", logprobs=0, stream=True)
            told = [choice.logprobs for part in parts for choice in part.choices if choice.logprobs]
        else:
            whole = client.completions.create(model=model, prompt="hi", logprobs=0)
            told = [choice.logprobs for choice in whole.choices if choice.logprobs]
    assert [token for one in told for token in one.tokens or ()] == ["000 ", "001 "]
    assert [offset for one in told for offset in one.text_offset or ()] == [0, 4]


def test_the_base_url_may_lack_v1_or_end_in_api(relay: ServerProcess) -> None:
    for base in (relay.url, f"{relay.url}/api"):
        with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
            chat = client.chat.completions.create(
                model="up/echo", messages=[{"role": "user", "content": "hi"}]
            )
            assert chat.choices[0].message.content == "hi"
            with pytest.raises(openai.NotFoundError) as missing:
                client.chat.completions.create(model="zzz", messages=[{"role": "user", "content": "hi"}])
            assert missing.value.code == "model_not_found"
    with openai.OpenAI(base_url=relay.url, api_key="none", max_retries=0) as client:
        assert client.completions.create(model="up/echo", prompt="hi").choices[0].text == "hi"
        assert "up/echo" in {model.id for model in client.models.list()}
        assert client.models.retrieve("up/echo").id == "up/echo"
