"""One tool loop of each client on each family of providers: asked, called, told, and answered."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import openai
import pytest
from pydantic import SecretStr

from tests.e2e.conftest import wait_until_listed
from tests.support.declarations import WEATHER
from tests.support.node_clients import NodeClients, running_node_clients
from tests.support.official_clients import anthropic_client, ollama_client, openai_client
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

PROVIDERS = ("up", "oll", "ant", "rsp")
ANSWER = "000 001 002 003 "
TOLD = "mild"
FUNCTION: Any = WEATHER["function"]
TOOL: Any = WEATHER
ASKED = "How is the weather?"

type Loop = Callable[[str, str], str]
"""From the relay's address and a model's name to the text that ends the loop."""


def weather(city: str, days: int) -> str:
    """Tells the weather."""
    return TOLD


def by_openai_chat(url: str, model: str) -> str:
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    with openai_client(url) as client:
        message = (
            client.chat.completions.create(model=model, messages=messages, tools=[TOOL]).choices[0].message
        )
        [call] = message.tool_calls or []
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": TOLD}]
        answer = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
    return answer.choices[0].message.content or ""


def by_openai_chat_streamed(url: str, model: str) -> str:
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    with openai_client(url) as client:
        with client.chat.completions.stream(model=model, messages=messages, tools=[TOOL]) as events:
            message = events.get_final_completion().choices[0].message
        [call] = message.tool_calls or []
        said: Any = message.model_dump(exclude_none=True, exclude={"parsed"})
        said["tool_calls"][0]["function"].pop("parsed_arguments", None)
        messages += [said, {"role": "tool", "tool_call_id": call.id, "content": TOLD}]
        with client.chat.completions.stream(model=model, messages=messages, tools=[TOOL]) as events:
            return events.get_final_completion().choices[0].message.content or ""


def by_openai_responses(url: str, model: str) -> str:
    tool: Any = {"type": "function", **FUNCTION}
    items: list[Any] = [{"role": "user", "content": ASKED}]
    with openai_client(url) as client:
        first = client.responses.create(model=model, input=items, tools=[tool])
        [call] = [item for item in first.output if item.type == "function_call"]
        items += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": TOLD}]
        return client.responses.create(model=model, input=items, tools=[tool]).output_text


def by_openai_responses_kept(url: str, model: str) -> str:
    """The relay keeps the first turn; streamed by the helper, which is strict about the order of events."""
    tool: Any = {"type": "function", **FUNCTION}
    with openai_client(url) as client:
        with client.responses.stream(model=model, input=ASKED, tools=[tool]) as events:
            first = events.get_final_response()
        [call] = [item for item in first.output if item.type == "function_call"]
        told: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": TOLD}]
        with client.responses.stream(
            model=model, input=told, tools=[tool], previous_response_id=first.id
        ) as events:
            return events.get_final_response().output_text


def by_anthropic(url: str, model: str) -> str:
    tool: Any = {
        "name": FUNCTION["name"],
        "description": FUNCTION["description"],
        "input_schema": FUNCTION["parameters"],
    }
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    with anthropic_client(url) as client:
        first = client.messages.create(model=model, max_tokens=1000, messages=messages, tools=[tool])
        [call] = [block for block in first.content if block.type == "tool_use"]
        told = {"type": "tool_result", "tool_use_id": call.id, "content": TOLD}
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [told]}]
        with client.messages.stream(model=model, max_tokens=1000, messages=messages, tools=[tool]) as events:
            return events.get_final_text()


def by_ollama(url: str, model: str) -> str:
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    with ollama_client(url) as client:
        message = client.chat(model=model, messages=messages, tools=[TOOL]).message
        [call] = message.tool_calls or []
        messages += [message, {"role": "tool", "tool_name": call.function.name, "content": TOLD}]
        return client.chat(model=model, messages=messages, tools=[TOOL]).message.content or ""


def by_langchain_openai(url: str, model: str) -> str:
    from langchain_openai import ChatOpenAI

    with openai.DefaultHttpxClient() as http:
        connection: Any = http
        key = SecretStr("none")
        return _by_langchain(
            ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=connection)
        )


def by_langchain_ollama(url: str, model: str) -> str:
    from langchain_ollama import ChatOllama

    chat = ChatOllama(model=model, base_url=url)
    with chat._client._client:
        return _by_langchain(chat)


def _by_langchain(chat: Any) -> str:
    from langchain_core.messages import HumanMessage, ToolMessage

    messages: list[Any] = [HumanMessage(ASKED)]
    bound = chat.bind_tools([weather])
    first = bound.invoke(messages)
    [call] = first.tool_calls
    messages += [first, ToolMessage(weather(**call["args"]), tool_call_id=call["id"])]
    said: str = bound.invoke(messages).content
    return said


def by_pydantic_ai(url: str, model: str) -> str:
    import anyio
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as connection:
            agent = Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=connection)))
            agent.tool_plain(weather)
            return (await agent.run(ASKED)).output

    return anyio.run(run)


LOOPS: Mapping[str, Loop] = {
    "openai chat": by_openai_chat,
    "openai chat streamed": by_openai_chat_streamed,
    "openai responses": by_openai_responses,
    "openai responses kept": by_openai_responses_kept,
    "anthropic": by_anthropic,
    "ollama": by_ollama,
    "langchain openai": by_langchain_openai,
    "langchain ollama": by_langchain_ollama,
    "pydantic ai": by_pydantic_ai,
}


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("loops")
    own: dict[str, Toml] = {"api_key": "sk-canary"}
    providers: dict[str, Toml] = {
        "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, **own},
        "oll": {"kind": "ollama", "base_url": upstream.base_url},
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, **own},
        "rsp": {"kind": "openai-responses", "base_url": upstream.openai_url, "models": ["tools"], **own},
    }
    write_relay_toml(folder, {"providers": providers})
    with running_server(folder) as server:
        wait_until_listed(server, PROVIDERS)
        yield server


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("client", LOOPS)
def test_a_tool_is_called_told_and_answered(
    relay: ServerProcess, upstream: ScriptedUpstream, client: str, provider: str
) -> None:
    assert LOOPS[client](relay.url, f"{provider}/tools") == ANSWER
    told = json.dumps(upstream.ledger.chats[-1].body)
    assert TOLD in told
    assert "weather" in told


@pytest.fixture(scope="module")
def node(relay: ServerProcess) -> Iterator[NodeClients]:
    with running_node_clients(relay.url) as clients:
        yield clients


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("client", ["aisdk", "anthropic", "openai"])
def test_a_tool_is_called_told_and_answered_in_node(node: NodeClients, client: str, provider: str) -> None:
    asked = {"model": f"{provider}/tools", "messages": [{"role": "user", "content": ASKED}], "tools": [TOOL]}
    answer = node(client, "toolLoop", results={"weather": TOLD}, **asked)
    assert answer["called"] == [["weather", {"city": "abc", "days": 1}]]
    assert answer["text"] == ANSWER
