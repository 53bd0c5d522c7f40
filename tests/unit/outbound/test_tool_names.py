"""Names of tools that OpenAI's chat does not take: another spelling on the way out, their own on the way back."""

import json
import re

import pytest

from relay.adapters.outbound.providers.tool_names import ToolNames, may_be_odd
from relay.domain.chat import ChatRequest, Message, NamedTool, Text, ToolCall, ToolResult, ToolSpec
from relay.domain.events import PartDelta, PartStarted

LONG = "n" * 80
ODD = ["files.read", LONG, "mcp/server:tool", "größe", "two words", "."]
TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def asking(*names: str) -> ChatRequest:
    return ChatRequest(model="m", messages=(), tools=tuple(ToolSpec(name=name) for name in names))


def spelled(*names: str) -> list[str]:
    return [tool.name for tool in ToolNames(asking(*names)).written(asking(*names)).tools]


def read_back(request: ChatRequest, name: str) -> str:
    [event] = ToolNames(request).correct([PartStarted(index=3, kind="tool_call", name=name)])
    assert isinstance(event, PartStarted)
    return event.name


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_taken_and_comes_back(name: str) -> None:
    request = asking("plain", name)
    plain, written = spelled("plain", name)
    assert plain == "plain"
    assert written != name
    assert TAKEN.fullmatch(written)
    assert read_back(request, written) == name


def test_the_model_can_still_read_what_the_tool_is() -> None:
    [written] = spelled("files.read")
    assert written.startswith("files_read_")


@pytest.mark.parametrize("name", ["f", "get_weather-2", "n" * 64])
def test_a_name_that_is_taken_stays(name: str) -> None:
    assert not ToolNames(asking(name))
    assert spelled(name) == [name]


def test_nameless_calls_are_left_alone() -> None:
    assert not ToolNames(ChatRequest(model="m", messages=(Message(role="tool", parts=(RESULT,)),)))


RESULT = ToolResult(call_id="c", name="", parts=())


def test_a_spelling_never_meets_another_name() -> None:
    [written] = spelled("files.read")
    [again, other] = spelled("files.read", written)
    assert other == written
    assert again != written
    assert TAKEN.fullmatch(again)
    assert read_back(asking("files.read", written), written) == written
    assert read_back(asking("files.read", written), again) == "files.read"


def test_names_alike_in_their_beginning_stay_apart() -> None:
    first, second = LONG + "a", LONG + "b"
    assert len(set(spelled(first, second))) == 2


def test_the_whole_conversation_speaks_of_the_tool_alike() -> None:
    call = ToolCall(id="c", name="files.read", arguments="{}")
    result = ToolResult(call_id="c", name="files.read", parts=(Text(text="files.read"),))
    request = ChatRequest(
        model="m",
        messages=(Message(role="assistant", parts=(call,)), Message(role="tool", parts=(result,))),
        tools=(ToolSpec(name="files.read"),),
        tool_choice=NamedTool(name="files.read"),
    )
    written = ToolNames(request).written(request)
    [name] = spelled("files.read")
    [asked, answered] = [message.parts[0] for message in written.messages]
    assert isinstance(asked, ToolCall)
    assert isinstance(answered, ToolResult)
    assert {written.tools[0].name, asked.name, answered.name} == {name}
    assert written.tool_choice == NamedTool(name=name)
    assert answered.parts == result.parts


def test_a_name_that_only_the_history_knows_is_spelled_too() -> None:
    call = ToolCall(id="c", name="files.read", arguments="{}")
    request = ChatRequest(model="m", messages=(Message(role="assistant", parts=(call,)),))
    [message] = ToolNames(request).written(request).messages
    assert message.parts == (ToolCall(id="c", name=spelled("files.read")[0], arguments="{}"),)


def test_a_name_that_the_model_made_up_stays_and_so_does_what_is_no_name() -> None:
    [written] = spelled("files.read")
    assert read_back(asking("files.read"), "made_up") == "made_up"
    delta = PartDelta(index=3, text=written)
    assert ToolNames(asking("files.read")).correct([delta]) == [delta]


@pytest.mark.parametrize("name", ODD)
def test_a_body_with_an_odd_name_is_looked_at(name: str) -> None:
    for declared in ({"tools": [{"function": {"name": name}}]}, {"functions": [{"name": name}]}):
        assert may_be_odd(json.dumps(declared, ensure_ascii=False).encode())
        assert may_be_odd(json.dumps(declared, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "name": "Ada L.", "content": "x"}]},
        {"tools": [{"function": {"name": "f" * 64, "parameters": {"properties": {"name": {}}}}}]},
        {"tools": [{"function": {"name": "f", "description": '{"name":"a.b"}'}}]},
        {"tools": []},
    ],
)
def test_a_body_without_one_is_not_decoded(body: object) -> None:
    assert not may_be_odd(json.dumps(body).encode())
