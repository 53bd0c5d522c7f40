"""LangChain's chat models for Ollama and for OpenAI, on providers of both kinds.

Its packages take seconds to import, which only these tests shall pay.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import openai
import pytest
from ollama import ResponseError
from pydantic import BaseModel, SecretStr, ValidationError

from tests.e2e.clients.accounts import assert_agreed
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk

pytestmark = pytest.mark.e2e

type Chat = Callable[..., BaseChatModel]

client_of = pytest.mark.parametrize("client", ["ollama", "openai"])
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


class City(BaseModel):
    """Where it is."""

    city: str


def weather(city: str, days: int) -> str:
    """Tells the weather."""
    return f"sunny in {city} for {days}"


def clock() -> str:
    """Tells the time."""
    return "noon"


@pytest.fixture
def chat(relay: ServerProcess, client: str) -> Iterator[Chat]:
    """Makes the chat model of this client for a model's name, and closes its connections in the end."""
    with ExitStack() as connections:

        def ollama(model: str, **options: Any) -> "BaseChatModel":
            from langchain_ollama import ChatOllama

            made = ChatOllama(model=model, base_url=relay.url, **options)
            connections.callback(made._client._client.close)
            return made

        def of_openai(model: str, **options: Any) -> "BaseChatModel":
            from langchain_openai import ChatOpenAI

            options = {"stream_usage": True, "max_retries": 0, **options}
            http: Any = connections.enter_context(openai.DefaultHttpxClient())
            key = SecretStr("none")
            return ChatOpenAI(
                model=model, base_url=f"{relay.url}/v1", api_key=key, http_client=http, **options
            )

        yield ollama if client == "ollama" else of_openai


def tokens_of(message: "AIMessage | AIMessageChunk") -> tuple[int, int]:
    usage = message.usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    return usage["input_tokens"], usage["output_tokens"]


def streamed(model: Any, prompt: Any) -> "AIMessageChunk":
    """All the chunks added up, as LangChain adds them."""
    first, *rest = model.stream(prompt)
    for chunk in rest:
        first += chunk
    added: AIMessageChunk = first
    return added


@client_of
@provider_of
def test_an_answer_is_the_same_whole_and_streamed(
    relay: ServerProcess, upstream: ScriptedUpstream, chat: Chat, provider: str
) -> None:
    model = chat(f"{provider}/basic?chunks=5")
    for answer in (model.invoke("hi"), streamed(model, "hi")):
        assert answer.content == "000 001 002 003 004 "
        told = answer.response_metadata
        assert told["model_name"] == f"{provider}/basic?chunks=5"
        assert told.get("done_reason", told.get("finish_reason")) == "stop"
        assert_agreed(relay, upstream, tokens_of(answer))


@client_of
@provider_of
@pytest.mark.anyio
async def test_an_answer_comes_piece_by_piece_to_asynchronous_code(
    chat: Chat, client: str, provider: str
) -> None:
    async with openai.DefaultAsyncHttpxClient() as http:
        options = {"http_async_client": http} if client == "openai" else {}
        model: Any = chat(f"{provider}/basic?chunks=5", **options)
        pieces = [piece.content async for piece in model.astream("hi")]
        if client == "ollama":
            await model._async_client._client.aclose()
    assert [piece for piece in pieces if piece] == ["000 ", "001 ", "002 ", "003 ", "004 "]


@client_of
@provider_of
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_parallel_tools_are_called_and_their_results_answered(
    relay: ServerProcess, upstream: ScriptedUpstream, chat: Chat, provider: str, stream: bool
) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage

    model = chat(f"{provider}/tools?calls=2").bind_tools([weather, clock])
    conversation: list[Any] = [HumanMessage("Weather and time?")]
    asked = streamed(model, conversation) if stream else model.invoke(conversation)
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [
        ("weather", {"city": "abc", "days": 1}),
        ("clock", {}),
    ]
    assert_agreed(relay, upstream, tokens_of(asked))
    conversation.append(asked)
    results = [weather(**asked.tool_calls[0]["args"]), clock()]
    for call, result in zip(asked.tool_calls, results, strict=True):
        conversation.append(ToolMessage(result, tool_call_id=call["id"] or ""))
    answer = streamed(model, conversation) if stream else model.invoke(conversation)
    assert answer.content == "000 001 002 003 "
    (answered,) = assert_agreed(relay, upstream, tokens_of(answer))
    sent = [message for message in answered.body["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in sent] == results


@client_of
@provider_of
def test_a_picture_reaches_the_provider(
    relay: ServerProcess, upstream: ScriptedUpstream, chat: Chat, provider: str
) -> None:
    from langchain_core.messages import HumanMessage

    picture = png()
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    parts: list[Any] = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": address}},
    ]
    answer = chat(f"{provider}/image").invoke([HumanMessage(parts)])
    digest = hashlib.sha256(picture).hexdigest()
    assert answer.content == f"image/png {len(picture)} bytes sha256={digest}"
    assert_agreed(relay, upstream, tokens_of(answer))


@client_of
@provider_of
@pytest.mark.parametrize(("script", "method"), [("schema", "json_schema"), ("tools", "function_calling")])
def test_a_structured_answer_is_an_object_of_its_class(
    chat: Chat, provider: str, script: str, method: str
) -> None:
    model = chat(f"{provider}/{script}").with_structured_output(City, method=method)
    assert model.invoke("Where is it?") == City(city="abc")


@pytest.mark.parametrize("client", ["ollama"])
@provider_of
@pytest.mark.parametrize(("reasoning", "thought"), [(True, "h00 h01 h02 "), (False, None)])
def test_thinking_is_shown_when_asked_for(
    chat: Chat, provider: str, reasoning: bool, thought: str | None
) -> None:
    model = chat(f"{provider}/think", reasoning=reasoning)
    for answer in (model.invoke("hi"), streamed(model, "hi")):
        assert answer.content == "000 001 002 003 "
        assert answer.additional_kwargs.get("reasoning_content") == thought


@pytest.mark.parametrize("client", ["openai"])
@provider_of
def test_thinking_never_gets_into_the_answer(
    relay: ServerProcess, upstream: ScriptedUpstream, chat: Chat, provider: str
) -> None:
    """LangChain's OpenAI model reads no thinking, so none may stand in the text."""
    answer = streamed(chat(f"{provider}/think"), "hi")
    assert answer.content == "000 001 002 003 "
    assert_agreed(relay, upstream, tokens_of(answer))


@client_of
@provider_of
def test_the_callers_settings_reach_the_provider(
    upstream: ScriptedUpstream, chat: Chat, client: str, provider: str
) -> None:
    limit = {"num_predict": 3} if client == "ollama" else {"max_tokens": 3}
    answer = chat(f"{provider}/length", temperature=0.5, seed=7, **limit).invoke("hi")
    assert answer.content == "000 001 002 "
    told = answer.response_metadata
    assert told.get("done_reason", told.get("finish_reason")) == "length"
    sent = upstream.ledger.chats[-1].body
    sent = sent.get("options", sent)
    assert (sent["temperature"], sent["seed"]) == (0.5, 7)


def test_a_model_is_looked_for_in_the_listing_when_asked_to(relay: ServerProcess) -> None:
    from langchain_ollama import ChatOllama

    # What fails here is never in our hands to be closed.
    at_once: Any = {"headers": {"connection": "close"}}
    for name in ("up/basic", "oll/basic:latest"):
        ChatOllama(model=name, base_url=relay.url, client_kwargs=at_once, validate_model_on_init=True)
    with pytest.raises(ValidationError, match="not found in Ollama"):
        ChatOllama(model="up/nothing", base_url=relay.url, client_kwargs=at_once, validate_model_on_init=True)


@pytest.mark.parametrize("client", ["ollama"])
@pytest.mark.parametrize(
    ("model", "status"), [("nothing", 404), ("up/fault/429", 429), ("oll/fault/429", 429)]
)
def test_a_failure_has_its_status(chat: Chat, model: str, status: int) -> None:
    for ask in (chat(model).invoke, lambda prompt: streamed(chat(model), prompt)):
        with pytest.raises(ResponseError) as failure:
            ask("hi")
        assert failure.value.status_code == status


@pytest.mark.parametrize("client", ["openai"])
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("nothing", openai.NotFoundError),
        ("up/nothing", openai.NotFoundError),
        ("oll/nothing", openai.NotFoundError),
        ("up/fault/429", openai.RateLimitError),
        ("oll/fault/429", openai.RateLimitError),
    ],
)
def test_a_failure_is_of_its_kind(chat: Chat, model: str, kind: type[openai.APIStatusError]) -> None:
    for ask in (chat(model).invoke, lambda prompt: streamed(chat(model), prompt)):
        with pytest.raises(kind):
            ask("hi")


@client_of
@provider_of
@pytest.mark.parametrize(
    ("fault", "words"), [("cut", "broke"), ("error_event?after_chunks=2", "the model fell over")]
)
def test_a_stream_that_breaks_is_an_error_after_what_came(
    chat: Chat, provider: str, fault: str, words: str
) -> None:
    came: list[Any] = []

    def read() -> None:
        for piece in chat(f"{provider}/fault/{fault}").stream("hi"):
            came.append(piece.content)

    with pytest.raises((ResponseError, openai.APIError), match=words):
        read()
    assert "".join(came).startswith("000 001 ")
