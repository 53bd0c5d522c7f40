"""What a model thought before it called a tool reaches it again, though the client in between cannot carry it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.declarations import WEATHER
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream.taped import TapedAnswer, TapedProvider, running_tape

pytestmark = pytest.mark.e2e

SEALED = [
    {"type": "thinking", "thinking": "Let me look.", "signature": "c2VhbA=="},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
]
USAGE = {"input_tokens": 9, "output_tokens": 5}
TOOL: Any = WEATHER
HELLO: list[Any] = [{"role": "user", "content": "How is the weather in Köln?"}]


def message(content: list[Any], stop: str) -> TapedAnswer:
    answer = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": content,
        "stop_reason": stop, "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip
    return TapedAnswer(pieces=[json.dumps(answer).encode()])


@pytest.fixture(scope="module")
def tape() -> Iterator[TapedProvider]:
    with running_tape() as running:
        yield running


@pytest.fixture(scope="module", params=[True, False], ids=["kept", "not kept"])
def relay(
    request: pytest.FixtureRequest, tape: TapedProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, bool]]:
    folder = tmp_path_factory.mktemp("thoughts")
    provider = {"kind": "anthropic", "base_url": tape.base_url, "api_key": "canary", "models": ["claude-x"]}
    write_relay_toml(folder, {"server": {"keep_thoughts": request.param}, "providers": {"ant": provider}})
    with running_server(folder) as server:
        yield server, request.param


def asked_of_openai(relay: ServerProcess, messages: list[Any]) -> Any:
    with openai_client(relay.url, []) as client:
        answer: Any = client.chat.completions.create(
            model="ant/claude-x", messages=messages, tools=[TOOL], extra_body={"reasoning_effort": "low"}
        )
    return answer.choices[0].message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})


def asked_of_ollama(relay: ServerProcess, messages: list[Any]) -> Any:
    with ollama_client(relay.url) as client:
        answer = client.chat(model="ant/claude-x", messages=messages, tools=[WEATHER])
    return answer.message.model_dump(exclude_none=True, exclude={"thinking"})


def results(turn: Any) -> list[Any]:
    """The conversation with the result of its call, as either client writes it."""
    [call] = turn["tool_calls"]
    told = {"role": "tool", "content": "mild", "tool_call_id": call.get("id"), "tool_name": "weather"}
    return [*HELLO, turn, {key: value for key, value in told.items() if value}]


@pytest.mark.parametrize("ask", [asked_of_openai, asked_of_ollama])
def test_thoughts_come_back_with_the_result_of_a_call(
    relay: tuple[ServerProcess, bool], tape: TapedProvider, ask: Any
) -> None:
    server, keeps = relay
    tape.calls.clear()
    tape.answers[:] = [message(SEALED, "tool_use"), message([{"type": "text", "text": "Mild."}], "end_turn")]
    turn = ask(server, HELLO)
    assert ask(server, results(turn))["content"] == "Mild."
    sent = json.loads(tape.calls[-1].body)["messages"]
    [assistant] = [each for each in sent if each["role"] == "assistant"]
    thoughts = [block for block in assistant["content"] if block["type"] == "thinking"]
    assert thoughts == ([SEALED[0]] if keeps else [])
