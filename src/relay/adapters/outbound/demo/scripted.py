"""Providers that answer from a script: every feature of a client can be tried without a key or network.

They are labelled as scripted wherever they are listed, and count their own words as tokens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import anyio

from relay.application.ports import OnDisconnect, Piece, UpstreamCall
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import ModelEntry
from relay.domain.chat import ChatRequest, Part, Text, Thinking, ToolCall
from relay.domain.errors import Overloaded, Rejected
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import unfold
from relay.domain.usage import Usage

WORD_S = 0.03
"""The pace of a scripted stream."""

_CREATED = 1_767_225_600


def scripted_models() -> tuple[ModelEntry, ...]:
    """What the provider `scripted` offers."""
    return (
        _entry("echo", "completion"),
        _entry("thinker", "completion", "thinking"),
        _entry("toolsmith", "completion", "tools"),
        _entry("busy", "completion"),
    )


@dataclass(frozen=True, slots=True)
class ScriptedProvider:
    """Answers at the pace of a person reading; implements `ChatBackend`."""

    word_s: float = WORD_S
    on_disconnect: OnDisconnect = "cancel"

    async def open(self, call: UpstreamCall) -> "ScriptedExchange":
        """Raises `Overloaded` for the model `busy`, `Rejected` for one that is not in the script."""
        request = call.original.decode()
        script = _SCRIPTS.get(call.model)
        if script is None:
            raise Rejected(f"the script has no model {call.model!r}", status=404)
        return ScriptedExchange(_answer(script(request), request), stream=call.stream, word_s=self.word_s)


class ScriptedExchange:
    """One scripted answer being read."""

    status = 200
    passes = False
    losses: tuple[str, ...] = ()

    def __init__(self, response: ChatResponse, *, stream: bool, word_s: float) -> None:
        events = tuple(unfold(response))
        self._word_s = word_s
        self._pieces = _paced(events) if stream else iter((Piece(events=events, last=True),))

    async def read(self) -> Piece:
        """The next word, or the whole answer."""
        await anyio.sleep(self._word_s)
        return next(self._pieces)

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        """As `Exchange.flow`: every piece is for `read`."""

    async def aclose(self) -> None:
        """Nothing to let go of."""


def _paced(events: Sequence[StreamEvent]) -> Iterator[Piece]:
    for event in events:
        match event:
            case PartDelta(text=text):
                for word in _words(text):
                    delta = PartDelta(index=event.index, text=word, choice=event.choice)
                    yield Piece(events=(delta,))
            case Started() | PartStarted() | PartEnded() | Finished() | UsageReported():
                yield Piece(events=(event,))
            case _:
                pass
    yield Piece(events=(), last=True)


def _answer(parts: tuple[AnswerPart, ...], request: ChatRequest) -> ChatResponse:
    calls = any(isinstance(part, ToolCall) for part in parts)
    asked = sum(len(_words(_text(part))) for message in request.messages for part in message.parts)
    said = sum(len(_words(_text(part))) for part in parts)
    return ChatResponse(
        model=request.model,
        choices=(Choice(parts=parts, finish="tool_calls" if calls else "stop"),),
        usage=Usage(input_tokens=asked, output_tokens=said),
    )


def _echo(request: ChatRequest) -> tuple[AnswerPart, ...]:
    return (Text(text=f"You said: {_last_user_text(request)}"),)


def _thinker(request: ChatRequest) -> tuple[AnswerPart, ...]:
    words = len(_words(_last_user_text(request)))
    answer = Text(text=f"Your message has {words} words.")
    if request.reasoning is not None and request.reasoning.effort == "none":
        return (answer,)
    return (Thinking(text="Let me count the words one by one."), answer)


def _toolsmith(request: ChatRequest) -> tuple[AnswerPart, ...]:
    answered = any(message.role == "tool" for message in request.messages)
    if not request.tools or answered:
        return (
            Text(text="The tools have been asked." if answered else "Give me a tool and I will call it."),
        )
    return tuple(
        ToolCall(id=f"call_{number:08d}", name=tool.name, arguments="{}")
        for number, tool in enumerate(request.tools)
    )


def _busy(request: ChatRequest) -> tuple[AnswerPart, ...]:
    raise Overloaded("the scripted provider is always busy", retry_after_s=1)


_SCRIPTS: Mapping[str, Callable[[ChatRequest], tuple[AnswerPart, ...]]] = {
    "echo": _echo,
    "thinker": _thinker,
    "toolsmith": _toolsmith,
    "busy": _busy,
}


def _last_user_text(request: ChatRequest) -> str:
    users = [message for message in request.messages if message.role == "user"]
    return " ".join(_text(part) for part in users[-1].parts).strip() if users else ""


def _text(part: Part) -> str:
    match part:
        case Text(text=text) | Thinking(text=text):
            return text
        case ToolCall(arguments=arguments):
            return arguments
        case _:
            return ""


def _words(text: str) -> list[str]:
    """The words with the space after each, so that they join to the text again."""
    return [word for word in text.replace(" ", " \0").split("\0") if word]


def _entry(name: str, *capabilities: Capability) -> ModelEntry:
    return ModelEntry(
        id=name,
        capabilities=Capabilities(offered=frozenset(capabilities), known=True),
        context_tokens=32_768,
        created=_CREATED,
        family="scripted",
        parameter_size="0",
        quantization="none",
    )
