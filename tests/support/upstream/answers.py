"""What each well-behaved script answers, as steps of one or more tokens, before any wire format."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tests.support.upstream.chat import BadRequest, Chat, fitting
from tests.support.upstream.scripts import Script

type Finish = Literal["stop", "length", "tool_calls"]
type Parts = Literal["pieces", "at_once", "same_index", "bare"]
type Sources = Literal["annotations", "list"]

TOKEN_LENGTH = 4

UNICODE_PIECES = (
    "line\u2028sep ",
    "para\u2029sep ",
    "next\u0085line ",
    "cr\rlf\r\n ",
    "emoji \U0001f600 ",
    "flag \U0001f1e9\U0001f1ea ",
    "zwj \U0001f469\u200d\U0001f4bb ",
    'quote " back \\ ',
    "vt\u000b fs\u001c ",
    "umlaut äöü 漢字",
)
"""Text that breaks line splitting or UTF-8 handling done wrong."""


@dataclass(frozen=True)
class Text:
    """One token of the answer's text."""

    text: str


@dataclass(frozen=True)
class Thought:
    """One token of reasoning."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A call, and its arguments in the pieces a stream sends them in; each piece is one token.

    `parts` is how an OpenAI stream sends it, as in the script `tools`.
    """

    id: str
    name: str
    arguments: Any
    pieces: tuple[str, ...]
    parts: Parts = "pieces"


type Step = Text | Thought | ToolCall


@dataclass(frozen=True)
class Answer:
    """A whole answer; each of its choices has the same steps."""

    steps: tuple[Step, ...]
    finish: Finish = "stop"
    logprobs: bool = False
    choices: int = 1
    sources: int = 0
    sources_as: Sources = "annotations"

    @property
    def tokens(self) -> int:
        of_one = sum(len(step.pieces) if isinstance(step, ToolCall) else 1 for step in self.steps)
        return of_one * self.choices

    @property
    def thought_tokens(self) -> int:
        return sum(isinstance(step, Thought) for step in self.steps)

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps if isinstance(step, Text))

    @property
    def thoughts(self) -> str:
        return "".join(step.text for step in self.steps if isinstance(step, Thought))

    @property
    def calls(self) -> list[ToolCall]:
        return [step for step in self.steps if isinstance(step, ToolCall)]


COMMANDS: Mapping[str, Any] = {
    "Bash": {"command": "echo relay-$((6*7))", "description": "Prints a word"},
    "exec_command": {"cmd": "echo relay-$((6*7))"},
}
"""By the name of the tool with which a coding agent runs commands, a call of it."""


def token(number: int) -> str:
    """A token of 4 ASCII bytes, numbered so that a lost, doubled or misplaced one shows: `000 `, `001 `, ..."""
    return f"{number % 1000:03d} "


def pieces_of(text: str) -> tuple[str, ...]:
    """Cut text into tokens of 4 characters; only the last may be shorter."""
    return tuple(text[start : start + TOKEN_LENGTH] for start in range(0, len(text), TOKEN_LENGTH))


def _spoken(text: str) -> Answer:
    return Answer(tuple(Text(piece) for piece in pieces_of(text)))


def _numbered(count: int) -> tuple[Text, ...]:
    return tuple(Text(token(number)) for number in range(count))


def _basic(script: Script, chat: Chat, seq: int) -> Answer:
    return Answer(_numbered(script.number("chunks")))


def _echo(script: Script, chat: Chat, seq: int) -> Answer:
    return _spoken(chat.last_user_text)


def _tools(script: Script, chat: Chat, seq: int) -> Answer:
    if not chat.tools or chat.ends_with_tool_result:
        return _basic(script, chat, seq)
    finish: Finish = _one_of(script.text("finish"), Finish.__value__)
    return Answer(tuple(_calls(script, chat, seq)), finish=finish)


def _shell(script: Script, chat: Chat, seq: int) -> Answer:
    if chat.ends_with_tool_result:
        return _spoken(f"The tool said: {chat.tool_text or chat.texts[-1]}")
    names = [tool.name for tool in chat.tools if tool.name in COMMANDS]
    if not names:
        return _spoken("There is no tool that runs commands.")
    written = json.dumps(COMMANDS[names[0]])
    call = ToolCall(f"call_{seq:06d}", names[0], COMMANDS[names[0]], pieces_of(written))
    return Answer((call,), finish="tool_calls")


def _one_of(word: str, words: Any) -> Any:
    if word not in get_args(words):
        raise BadRequest(f"'{word}' is none of {get_args(words)}")
    return word


def _calls(script: Script, chat: Chat, seq: int) -> Iterator[ToolCall]:
    parts: Parts = _one_of(script.text("parts"), Parts.__value__)
    for number in range(script.number("calls")):
        tool = chat.tools[number % len(chat.tools)]
        arguments = fitting({"type": "object", **tool.parameters})
        written = json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
        call_id = f"call_{seq:06d}{number:02d}"
        pieces = () if parts == "bare" else pieces_of(written)
        yield ToolCall(call_id, tool.name, arguments, pieces, parts)


def _think(script: Script, chat: Chat, seq: int) -> Answer:
    thoughts = script.number("thoughts") if chat.may_think else 0
    steps = tuple(Thought(f"h{number % 100:02d} ") for number in range(thoughts))
    return Answer(steps + _numbered(script.number("chunks")))


def _image(script: Script, chat: Chat, seq: int) -> Answer:
    return _spoken("\n".join(image.description for image in chat.images) or "no image")


def _schema(script: Script, chat: Chat, seq: int) -> Answer:
    if chat.schema is None:
        return _basic(script, chat, seq)
    return _spoken(json.dumps(fitting(chat.schema), ensure_ascii=False))


def _logprobs(script: Script, chat: Chat, seq: int) -> Answer:
    return Answer(_numbered(script.number("chunks")), logprobs=True)


def _cited(script: Script, chat: Chat, seq: int) -> Answer:
    form: Sources = _one_of(script.text("form"), Sources.__value__)
    text = _numbered(script.number("chunks"))
    return Answer(text, sources=script.number("sources"), sources_as=form)


def _fill(script: Script, chat: Chat, seq: int) -> Answer:
    return _spoken(f"[{chat.last_user_text}|{chat.suffix}]")


def _length(script: Script, chat: Chat, seq: int) -> Answer:
    count = script.number("chunks") if chat.max_tokens is None else chat.max_tokens
    return Answer(_numbered(count), finish="length")


def _empty(script: Script, chat: Chat, seq: int) -> Answer:
    return Answer(())


def _unicode(script: Script, chat: Chat, seq: int) -> Answer:
    return Answer(tuple(Text(piece) for piece in UNICODE_PIECES))


WRITERS: Mapping[str, Callable[[Script, Chat, int], Answer]] = {
    "basic": _basic,
    "echo": _echo,
    "tools": _tools,
    "shell": _shell,
    "think": _think,
    "image": _image,
    "schema": _schema,
    "logprobs": _logprobs,
    "cited": _cited,
    "fill": _fill,
    "length": _length,
    "empty": _empty,
    "unicode": _unicode,
}


def answer_to(script: Script, chat: Chat, seq: int) -> Answer:
    """What the script answers; `seq` makes the ids of tool calls unique."""
    return replace(WRITERS[script.name](script, chat, seq), choices=chat.choices)
