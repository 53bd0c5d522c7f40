"""What OpenAI's and Ollama's own clients do beyond one chat call: listings, classes, tool loops, failures."""

import json
from collections.abc import Iterator
from typing import Any

import ollama
import openai
import pytest
from pydantic import BaseModel

from tests.e2e.clients.accounts import assert_agreed
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream

pytestmark = pytest.mark.e2e

HI: Any = [{"role": "user", "content": "hi"}]

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
failing = pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("nothing", 404, "'nothing' not found"),
        ("up/nothing", 404, "'nothing' not found"),
        ("oll/nothing", 404, "'nothing' not found"),
        ("up/fault/429", 429, "scripted error 429"),
        ("oll/fault/429", 429, "scripted error 429"),
        ("up/fault/500", 503, "scripted error 500"),
        ("oll/fault/500", 503, "scripted error 500"),
    ],
)
breaking = pytest.mark.parametrize(
    ("fault", "words"), [("cut", "broke"), ("error_event?after_chunks=2", "the model fell over")]
)


class Weather(BaseModel):
    """Tells the weather."""

    city: str
    days: int


@pytest.fixture
def openai_api(relay: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai_client(relay.url) as client:
        yield client


@pytest.fixture
def ollama_api(relay: ServerProcess) -> Iterator[ollama.Client]:
    with ollama_client(relay.url) as client:
        yield client


@provider_of
def test_openai_lists_and_retrieves_every_model(openai_api: openai.OpenAI, provider: str) -> None:
    listed = {model.id: model for model in openai_api.models.list()}
    tag = ":latest" if provider == "oll" else ""
    names = {f"{provider}/{model}{tag}" for model in DEFAULT_MODELS}
    assert names <= set(listed)
    for name in names:
        assert openai_api.models.retrieve(name) == listed[name]
        assert (listed[name].object, listed[name].owned_by) == ("model", provider)
        assert listed[name].created > 0


@provider_of
def test_ollama_lists_and_shows_every_model(ollama_api: ollama.Client, provider: str) -> None:
    listed = {model.model: model for model in ollama_api.list().models}
    names = {f"{provider}/{model}:latest" for model in DEFAULT_MODELS}
    assert names <= set(listed)
    for name in names:
        model, page = listed[name], ollama_api.show(name)
        assert model.details == page.details
        assert model.modified_at == page.modified_at
        assert page.capabilities is not None
        assert "completion" in page.capabilities
        assert page.modelinfo is not None
        family = page.modelinfo["general.architecture"]
        assert page.modelinfo[f"{family}.context_length"] > 0
    ollama_api.chat(f"{provider}/basic", messages=HI)
    loaded = {model.model: model for model in ollama_api.ps().models}
    assert loaded[f"{provider}/basic:latest"].digest == listed[f"{provider}/basic:latest"].digest


@provider_of
def test_openai_parses_an_answer_into_a_class(
    relay: ServerProcess, upstream: ScriptedUpstream, openai_api: openai.OpenAI, provider: str
) -> None:
    asked: Any = {"model": f"{provider}/schema", "messages": HI, "response_format": Weather}
    whole = openai_api.chat.completions.parse(**asked)
    with openai_api.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert kinds.count("content.delta") > 1
    assert "content.done" in kinds
    for completion in (whole, final):
        assert completion.choices[0].message.parsed == Weather(city="abc", days=1)
        assert completion.usage is not None
        tokens = (completion.usage.prompt_tokens, completion.usage.completion_tokens)
        assert_agreed(relay, upstream, tokens)


@provider_of
def test_openai_says_so_when_what_it_parses_was_cut(openai_api: openai.OpenAI, provider: str) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        openai_api.chat.completions.parse(
            model=f"{provider}/length", messages=HI, response_format=Weather, max_tokens=2
        )


@provider_of
@streamed
def test_a_tool_loop_of_an_openai_client_binds_results_by_id(
    relay: ServerProcess, upstream: ScriptedUpstream, openai_api: openai.OpenAI, provider: str, stream: bool
) -> None:
    asked: Any = {
        "model": f"{provider}/tools?calls=2",
        "messages": list(HI),
        "tools": [openai.pydantic_function_tool(Weather, name="weather")],
    }

    def answer() -> Any:
        if not stream:
            return openai_api.chat.completions.parse(**asked)
        with openai_api.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
            return events.get_final_completion()

    first = answer()
    calls = first.choices[0].message.tool_calls
    assert [call.function.parsed_arguments for call in calls] == [Weather(city="abc", days=1)] * 2
    assert len({call.id for call in calls}) == 2
    assert first.choices[0].finish_reason == "tool_calls"
    asked["messages"].append(first.choices[0].message)
    asked["messages"] += [
        {"role": "tool", "tool_call_id": call.id, "content": f"result of {call.id}"}
        for call in reversed(calls)
    ]
    second = answer()
    assert second.choices[0].message.content == "000 001 002 003 "
    (made,) = assert_agreed(relay, upstream, (second.usage.prompt_tokens, second.usage.completion_tokens))
    results = {message["content"] for message in made.body["messages"] if message["role"] == "tool"}
    assert results == {f"result of {call.id}" for call in calls}


@provider_of
def test_ollama_answers_in_the_form_of_a_class(ollama_api: ollama.Client, provider: str) -> None:
    asked: Any = {"model": f"{provider}/schema", "messages": HI, "format": Weather.model_json_schema()}
    whole = ollama_api.chat(**asked).message.content or ""
    pieces = "".join(part.message.content or "" for part in ollama_api.chat(**asked, stream=True))
    for text in (whole, pieces):
        assert Weather.model_validate_json(text) == Weather(city="abc", days=1)


@provider_of
def test_ollama_makes_a_tool_of_a_function(ollama_api: ollama.Client, provider: str) -> None:
    def weather(city: str, days: int) -> str:
        """Tells the weather.

        Args:
            city: Where.
            days: For how long.
        """
        return f"sunny in {city} for {days}"

    answer = ollama_api.chat(f"{provider}/tools", messages=HI, tools=[weather])
    (call,) = answer.message.tool_calls or []
    assert weather(**call.function.arguments) == "sunny in abc for 1"


@failing
@streamed
def test_openai_raises_what_the_status_stands_for(
    openai_api: openai.OpenAI, model: str, status: int, words: str, stream: bool
) -> None:
    ask: Any = openai_api.chat.completions.create
    kinds = {404: openai.NotFoundError, 429: openai.RateLimitError, 503: openai.InternalServerError}
    with pytest.raises(kinds[status], match=words) as failure:
        ask(model=model, messages=HI, stream=stream)
    assert failure.value.status_code == status
    assert failure.value.request_id
    body: Any = failure.value.body
    assert {"message", "type", "param", "code"} == set(body)
    if status == 404:
        assert failure.value.code == "model_not_found"


@failing
@streamed
def test_ollama_raises_the_status_and_the_words(
    ollama_api: ollama.Client, model: str, status: int, words: str, stream: bool
) -> None:
    ask: Any = ollama_api.chat
    with pytest.raises(ollama.ResponseError, match=words) as failure:
        list(ask(model, messages=HI, stream=stream))
    assert failure.value.status_code == status


def test_openai_is_told_when_to_come_again(openai_api: openai.OpenAI) -> None:
    for provider in ("up", "oll"):
        with pytest.raises(openai.RateLimitError) as failure:
            openai_api.chat.completions.create(model=f"{provider}/fault/429?retry_after=7", messages=HI)
        assert failure.value.response.headers["retry-after"] == "7"


@provider_of
@breaking
def test_openai_is_told_of_a_break_after_what_came(
    openai_api: openai.OpenAI, provider: str, fault: str, words: str
) -> None:
    came: list[str] = []

    def read() -> None:
        for chunk in openai_api.chat.completions.create(
            model=f"{provider}/fault/{fault}", messages=HI, stream=True
        ):
            came.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIError, match=words):
        read()
    assert "".join(came).startswith("000 001 ")


@provider_of
@breaking
def test_ollama_is_told_of_a_break_after_what_came(
    ollama_api: ollama.Client, provider: str, fault: str, words: str
) -> None:
    came: list[str] = []

    def read() -> None:
        for part in ollama_api.chat(f"{provider}/fault/{fault}", messages=HI, stream=True):
            came.append(part.message.content or "")

    with pytest.raises(ollama.ResponseError, match=words):
        read()
    assert "".join(came).startswith("000 001 ")


@provider_of
def test_a_whole_answer_that_breaks_is_no_answer(
    openai_api: openai.OpenAI, ollama_api: ollama.Client, provider: str
) -> None:
    with pytest.raises(openai.InternalServerError):
        openai_api.chat.completions.create(model=f"{provider}/fault/cut?after_chunks=1", messages=HI)
    with pytest.raises(ollama.ResponseError) as failure:
        ollama_api.chat(f"{provider}/fault/cut?after_chunks=1", messages=HI)
    assert failure.value.status_code == 502


def test_tool_arguments_are_json_of_the_class(openai_api: openai.OpenAI) -> None:
    """The strings a client without a parser reads."""
    tool: Any = openai.pydantic_function_tool(Weather, name="weather")
    for provider in ("up", "oll"):
        answer = openai_api.chat.completions.create(model=f"{provider}/tools", messages=HI, tools=[tool])
        (call,) = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert json.loads(call.function.arguments) == {"city": "abc", "days": 1}
