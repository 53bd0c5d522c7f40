"""What a model thought before it called tools, for clients that cannot carry it: gathered from an answer, put back.

Providers want to see it again with the results of the calls, under their seals: Anthropic and Gemini refuse a turn
without, DeepSeek its text, others only think less well. A call's id finds it, or, for clients of Ollama that drop
ids, its tool and its arguments.
Seals are bound to provider and model: another one is told nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from relay.domain.catalog import Target
from relay.domain.chat import ChatRequest, Message, Part, Thinking, ToolCall
from relay.domain.events import PartDelta, PartStarted, SignatureDelta, StreamEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Thoughts:
    """The thinking of one turn of `target`, and the signatures of its calls by their keys: see `keys_of`."""

    target: Target
    thinking: tuple[Thinking, ...] = ()
    signatures: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Roughly what it takes."""
        texts = (text for each in self.thinking for text in (each.text, each.signature, each.sealed, each.id))
        return sum(map(len, texts)) + sum(map(len, self.signatures.values()))


@dataclass(slots=True)
class _Open:
    started: PartStarted
    text: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)


class ThoughtsGathered:
    """Takes the events of an answer, and keeps of its first choice what was thought and which tools were called."""

    def __init__(self) -> None:
        self._parts: dict[int, _Open] = {}

    def take(self, event: StreamEvent) -> None:
        """The next event."""
        match event:
            case PartStarted(index=index, kind="thinking" | "tool_call", choice=0):
                self._parts[index] = _Open(event)
            case PartDelta(index=index, text=text, choice=0):
                part = self._parts.get(index)
                if part is not None:
                    part.text.append(text)
            case SignatureDelta(index=index, text=text, choice=0, kind=kind):
                if (part := self._parts.get(index)) is not None:
                    (part.sealed if kind == "sealed" else part.signature).append(text)
            case _:
                pass

    def of(self, target: Target) -> dict[str, Thoughts]:
        """What to remember by the keys of each call; nothing when none was called, or nothing thought."""
        parts = [self._parts[index] for index in sorted(self._parts)]
        calls = {key: part for part in parts if part.started.kind == "tool_call" for key in _keys(part)}
        thinking = tuple(_thinking(part) for part in parts if part.started.kind == "thinking")
        signatures = {key: "".join(part.signature) for key, part in calls.items() if part.signature}
        if not (thinking or signatures):
            return {}
        return dict.fromkeys(calls, Thoughts(target=target, thinking=thinking, signatures=signatures))


def keys_of(call: ToolCall) -> tuple[str, ...]:
    """By what a call is found again: its id, if there is one, and a digest of what it asks for."""
    try:  # how its arguments are spelled, and in which order, may change on their way to a client and back
        asked = json.dumps(json.loads(call.arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        asked = call.arguments
    digest = sha256(f"{call.name}\0{asked}".encode(errors="replace")).hexdigest()
    return (call.id, digest) if call.id else (digest,)


def with_thoughts(
    request: ChatRequest, recall: Callable[[str], Thoughts | None], target: Target
) -> ChatRequest:
    """The request with what `target` is known to have thought in each turn that called tools.

    A turn that has a seal of its own is left as it is: its client can carry them. `recall` gives what is remembered
    of a call.
    """
    messages = tuple(_reminded(message, recall, target) for message in request.messages)
    return request if messages == request.messages else replace(request, messages=messages)


def _keys(part: _Open) -> tuple[str, ...]:
    return keys_of(ToolCall(id=part.started.call_id, name=part.started.name, arguments="".join(part.text)))


def _thinking(part: _Open) -> Thinking:
    return Thinking(
        text="".join(part.text),
        signature="".join(part.signature),
        sealed="".join(part.sealed),
        id=part.started.call_id,
        origin=part.started.origin,
    )


def _reminded(message: Message, recall: Callable[[str], Thoughts | None], target: Target) -> Message:
    keys = [key for part in message.parts if isinstance(part, ToolCall) for key in keys_of(part)]
    if not keys or any(map(_is_sealed, message.parts)):
        return message
    thoughts = next((found for key in keys if (found := recall(key)) is not None), None)
    if thoughts is None or thoughts.target != target:
        return message
    return replace(message, parts=(*thoughts.thinking, *_signed(message.parts, thoughts)))


def _signed(parts: Sequence[Part], thoughts: Thoughts) -> list[Part]:
    """The parts with their signatures, without thinking that is remembered better."""
    return [
        replace(part, signature=_signature(part, thoughts)) if isinstance(part, ToolCall) else part
        for part in parts
        if not (isinstance(part, Thinking) and thoughts.thinking)
    ]


def _signature(call: ToolCall, thoughts: Thoughts) -> str:
    return next((found for key in keys_of(call) if (found := thoughts.signatures.get(key))), "")


def _is_sealed(part: Part) -> bool:
    match part:
        case Thinking():
            return bool(part.signature or part.sealed)
        case ToolCall():
            return bool(part.signature)
        case _:
            return False
