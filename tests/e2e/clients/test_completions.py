"""Prompts without a conversation, by LangChain and the official clients: generate, and OpenAI's completions."""

import hashlib
from typing import Any

import ollama
import openai
import pytest
from pydantic import BaseModel, SecretStr

from tests.e2e.clients.accounts import assert_agreed
from tests.support.official_clients import ollama_client, openai_client
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

NUMBERED = "000 001 002 003 "

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


class City(BaseModel):
    """Where it is."""

    city: str


@provider_of
def test_ollama_generates_whole_and_streamed(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    model = f"{provider}/basic"
    with ollama_client(relay.url) as client:
        whole = client.generate(model, "hi", system="Be brief.", keep_alive=-1)
        assert (whole.response, whole.done, whole.done_reason) == (NUMBERED, True, "stop")
        assert_agreed(relay, upstream, (whole.prompt_eval_count or 0, whole.eval_count or 0))
        *pieces, last = client.generate(model, "hi", stream=True)
    assert "".join(piece.response or "" for piece in pieces) == NUMBERED
    assert (last.response, last.done) == ("", True)
    assert_agreed(relay, upstream, (last.prompt_eval_count or 0, last.eval_count or 0))


@provider_of
def test_ollama_generates_from_pictures_by_schema_and_with_thought(
    relay: ServerProcess, provider: str
) -> None:
    picture = png()
    with ollama_client(relay.url) as client:
        seen = client.generate(f"{provider}/image", "What is it?", images=[picture])
        formed = client.generate(f"{provider}/schema", "hi", format=City.model_json_schema())
        thought = client.generate(f"{provider}/think", "hi", think=True)
    assert (seen.response or "").endswith(hashlib.sha256(picture).hexdigest())
    assert City.model_validate_json(formed.response or "") == City(city="abc")
    assert (thought.thinking, thought.response) == ("h00 h01 h02 ", NUMBERED)


@provider_of
def test_ollama_loads_and_unloads_without_a_call(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    name, before = f"{provider}/schema:latest", len(upstream.ledger.chats)
    with ollama_client(relay.url) as client:
        assert client.generate(name).done_reason == "load"
        assert name in [model.model for model in client.ps().models]
        assert client.generate(name, keep_alive=0).done_reason == "unload"
        assert name not in [model.model for model in client.ps().models]
    assert len(upstream.ledger.chats) == before


def test_a_raw_prompt_reaches_an_ollama_as_it_is(relay: ServerProcess, upstream: ScriptedUpstream) -> None:
    with ollama_client(relay.url) as client:
        answer = client.generate("oll/echo", "<|user|>hi<|end|>", raw=True, options={"stop": ["<|end|>"]})
    call = upstream.ledger.calls[-1]
    assert (call.path, call.body["prompt"], call.body["raw"]) == ("/api/generate", "<|user|>hi<|end|>", True)
    assert answer.response == "<|user|>hi<|end|>"


@provider_of
def test_openai_completes_whole_and_streamed(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    asked: Any = {"model": f"{provider}/basic", "prompt": "hi", "max_tokens": 50}
    with openai_client(relay.url) as client:
        whole = client.completions.create(**asked)
        choice, usage = whole.choices[0], whole.usage
        assert (choice.text, choice.finish_reason, choice.index) == (NUMBERED, "stop", 0)
        assert usage is not None
        assert_agreed(relay, upstream, (usage.prompt_tokens, usage.completion_tokens))
        options: Any = {"include_usage": True}
        *pieces, last = client.completions.create(**asked, stream=True, stream_options=options)
    assert "".join(piece.choices[0].text for piece in pieces) == NUMBERED
    assert pieces[-1].choices[0].finish_reason == "stop"
    assert last.choices == []
    assert_agreed(relay, upstream, (last.usage.prompt_tokens, last.usage.completion_tokens))


@provider_of
def test_langchains_plain_models_answer_a_prompt(relay: ServerProcess, provider: str) -> None:
    from langchain_ollama import OllamaLLM
    from langchain_openai import OpenAI

    model = f"{provider}/basic"
    native = OllamaLLM(model=model, base_url=relay.url, client_kwargs={"headers": {"connection": "close"}})
    with openai.DefaultHttpxClient() as http:
        options: Any = {"http_client": http, "max_retries": 0}
        plain = OpenAI(model=model, base_url=f"{relay.url}/v1", api_key=SecretStr("none"), **options)
        for llm in (native, plain):
            assert llm.invoke("hi") == NUMBERED
            assert "".join(llm.stream("hi")) == NUMBERED


@provider_of
def test_a_failure_is_of_its_kind(relay: ServerProcess, provider: str) -> None:
    limited = f"{provider}/fault/429"
    with openai_client(relay.url) as client:
        with pytest.raises(openai.RateLimitError):
            client.completions.create(model=limited, prompt="hi")
        with pytest.raises(openai.NotFoundError) as unknown:
            client.completions.create(model="nothing", prompt="hi")
    assert unknown.value.code == "model_not_found"
    with ollama_client(relay.url) as native:
        for model, status in ((limited, 429), ("nothing", 404)):
            with pytest.raises(ollama.ResponseError) as failure:
                native.generate(model, "hi")
            assert failure.value.status_code == status


@provider_of
@pytest.mark.parametrize(
    ("fault", "words"), [("cut", "broke"), ("error_event?after_chunks=2", "the model fell over")]
)
def test_a_stream_that_breaks_is_an_error_after_what_came(
    relay: ServerProcess, provider: str, fault: str, words: str
) -> None:
    model, came = f"{provider}/fault/{fault}", {"ollama": "", "openai": ""}

    def generate() -> None:
        for piece in native.generate(model, "hi", stream=True):
            came["ollama"] += piece.response or ""

    def complete() -> None:
        for piece in client.completions.create(model=model, prompt="hi", stream=True):
            came["openai"] += piece.choices[0].text

    with ollama_client(relay.url) as native, pytest.raises(ollama.ResponseError, match=words):
        generate()
    with openai_client(relay.url) as client, pytest.raises(openai.APIError, match=words):
        complete()
    assert all(text.startswith("000 001 ") for text in came.values())
