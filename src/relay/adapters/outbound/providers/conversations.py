"""A conversation put the way a provider's quirks want it, before its dialect writes it down.

Pure steps over the canonical request; each keeps what the model is told and reports what the caller set and does
not get. Of models that are not told otherwise a request stays the same object.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec

from relay.adapters.outbound.providers.quirks import Quirks, nearest
from relay.domain.chat import (
    EFFORTS,
    ChatRequest,
    DialectName,
    Effort,
    File,
    JsonObject,
    JsonSchema,
    Message,
    Part,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_NINE = re.compile(r"[A-Za-z0-9]{9}")
_CHAT: DialectName = "openai.chat"
_OLLAMA: DialectName = "ollama.chat"
_options = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request as a provider wants it, and the names of what was lost."""

    request: ChatRequest
    losses: tuple[str, ...] = ()


def fitted(request: ChatRequest, quirks: Quirks) -> Fitted:
    """The request, put as the quirks of its model say."""
    losses: list[str] = []
    for step in _STEPS:
        request, lost = step(request, quirks)
        losses += lost
    return Fitted(request, tuple(losses))


type _Step = Callable[[ChatRequest, Quirks], tuple[ChatRequest, list[str]]]


def _schema_in_prompt(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    output = request.output
    if not quirks.schema_in_prompt or not isinstance(output, JsonSchema):
        return request, []
    text = f"Answer with one JSON object that fits this JSON Schema, and with nothing else:\n{output.schema}"
    told = _told(request, text)
    return replace(told, output=JsonObject()), ["output.schema"]


def _json_word(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    """OpenAI: "the word JSON must appear in your messages"; clients of other dialects need not know."""
    if not quirks.json_word or not isinstance(request.output, JsonObject):
        return request, []
    texts = (part.text for message in request.messages for part in message.parts if isinstance(part, Text))
    if any("json" in text.lower() for text in texts):
        return request, []
    return _told(request, "Answer in JSON."), []


def _told(request: ChatRequest, text: str) -> ChatRequest:
    """The request with one more instruction, behind those it begins with."""
    messages = list(request.messages)
    place = next(
        (at for at, message in enumerate(messages) if message.role not in ("system", "developer")), 0
    )
    messages.insert(place, Message(role="system", parts=(Text(text=text),)))
    return replace(request, messages=tuple(messages))


def _files_by_address(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    """The address goes where OpenAI's chat has room for a file's data alone."""
    if not quirks.files_by_address:
        return request, []
    messages = tuple(
        replace(message, parts=tuple(map(_addressed, message.parts))) for message in request.messages
    )
    return replace(request, messages=messages), []


def _addressed(part: Part) -> Part:
    if isinstance(part, ToolResult):
        inner = (_in_place(held) if isinstance(held, File) else held for held in part.parts)
        return replace(part, parts=tuple(inner))
    return _in_place(part) if isinstance(part, File) else part


def _in_place(file: File) -> File:
    return replace(file, data=file.url, url="", media_type=None) if file.url else file


def _instructions(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    """All instructions open the first thing the user says: a model without a role for them knows no place else."""
    is_told = any(message.role in ("system", "developer") for message in request.messages)
    if quirks.instructions != "in_prompt" or not is_told:
        return request, []
    told = [message for message in request.messages if message.role in ("system", "developer")]
    rest = [message for message in request.messages if message.role not in ("system", "developer")]
    parts = tuple(part for message in told for part in message.parts)
    if rest and rest[0].role == "user":
        rest[0] = replace(rest[0], parts=(*parts, *rest[0].parts))
    else:
        rest.insert(0, Message(role="user", parts=parts))
    return replace(request, messages=tuple(rest)), []


def _past_thinking(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    """Thoughts of the past are the provider's own to ask for: what it does not take is no setting that is lost."""
    keeps = quirks.past_thinking
    thinks = (isinstance(part, Thinking) for message in request.messages for part in message.parts)
    if keeps == "sealed" or not any(thinks):
        return request, []
    messages = tuple(_forgetful(message, keeps) for message in request.messages)
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request, []
    is_broken = any(map(_is_sealed, (part for message in request.messages for part in message.parts)))
    return replace(request, messages=messages), ["thinking.signature"] if is_broken else []


def _forgetful(message: Message, keeps: str) -> Message:
    """The message with the thoughts that are kept, and without a seal of OpenRouter's."""
    if message.role != "assistant" or not any(isinstance(part, Thinking) for part in message.parts):
        return message
    calls = any(isinstance(part, ToolCall) for part in message.parts)
    if keeps == "dropped" or (keeps == "with_calls" and not calls):
        kept = tuple(part for part in message.parts if not isinstance(part, Thinking))
        return replace(message, parts=kept)
    if not any(map(_is_sealed, message.parts)):
        return message
    return replace(message, parts=tuple(map(_unsealed, message.parts)))


def _is_sealed(part: Part) -> bool:
    return isinstance(part, Thinking) and part.origin == _CHAT and bool(part.sealed)


def _unsealed(part: Part) -> Part:
    return Thinking(text=part.text) if isinstance(part, Thinking) and _is_sealed(part) else part


def _call_ids(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    if not quirks.call_ids:
        return request, []
    messages = tuple(replace(message, parts=tuple(map(_nine, message.parts))) for message in request.messages)
    return replace(request, messages=messages), []


def _nine(part: Part) -> Part:
    """The same id becomes the same nine characters, turn after turn."""
    match part:
        case ToolCall(id=call_id) if call_id:
            return replace(part, id=_nine_of(call_id))
        case ToolResult(call_id=call_id) if call_id:
            return replace(part, call_id=_nine_of(call_id))
        case _:
            return part


def _nine_of(call_id: str) -> str:
    if _NINE.fullmatch(call_id):
        return call_id
    digest = base64.b32encode(sha256(call_id.encode(errors="replace")).digest())
    return digest.decode()[:9]


def _after_results(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    if not quirks.after_results:
        return request, []
    return replace(request, messages=tuple(_answered(request.messages, quirks.after_results))), []


def _answered(messages: Iterable[Message], text: str) -> Iterator[Message]:
    after_result = False
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        says_more = message.role == "user" and len(results) < len(message.parts)
        if after_result and says_more and not results:
            yield Message(role="assistant", parts=(Text(text=text),))
        yield message
        after_result = bool(results) and not says_more


def _window(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    if not quirks.num_ctx:
        return request, []
    own = request.extras.get(_OLLAMA, {})
    options = _options.decode(own.get("options", "{}"))
    options.setdefault("num_ctx", msgspec.Raw(str(quirks.num_ctx).encode()))
    own = {**own, "options": msgspec.json.encode(options).decode()}
    return replace(request, extras={**request.extras, _OLLAMA: own}), []


def _reasoning(request: ChatRequest, quirks: Quirks) -> tuple[ChatRequest, list[str]]:
    reasoning = request.reasoning
    if reasoning is None:
        return request, []
    if quirks.budgets:
        budget = _budget(reasoning, quirks)
        return replace(request, reasoning=Reasoning(budget_tokens=budget) if budget else _OFF), []
    if quirks.reasoning_object:
        return _with_reasoning_object(request, reasoning), []
    if quirks.efforts is not None and reasoning.effort is not None:
        effort = nearest(reasoning.effort, quirks.efforts)
        if effort is None:
            return replace(request, reasoning=None), (
                [] if reasoning.effort == "none" else ["reasoning_effort"]
            )
        return replace(request, reasoning=replace(reasoning, effort=effort)), []
    return request, []


_OFF = Reasoning(effort="none")


def _budget(reasoning: Reasoning, quirks: Quirks) -> int:
    """The tokens for an effort; those that were asked for, but no less and no more than any effort has."""
    taken = [effort for effort in EFFORTS if effort in quirks.budgets]
    known = [quirks.budgets[effort] for effort in taken if quirks.budgets[effort]]
    if reasoning.budget_tokens is not None and reasoning.effort != "none" and known:
        asked = reasoning.budget_tokens
        return min(max(asked, min(known)), max(known)) if asked > 0 else asked
    effort: Effort = reasoning.effort or "medium"
    fitting = nearest(effort, taken)
    return quirks.budgets[fitting] if fitting is not None else 0


def _with_reasoning_object(request: ChatRequest, reasoning: Reasoning) -> ChatRequest:
    """As an extra of the dialect: its codec writes it back as it is."""
    asked: dict[str, object] = {"enabled": True}
    if reasoning.effort is not None:
        asked = {"effort": reasoning.effort}
    elif reasoning.budget_tokens is not None:
        asked = {"max_tokens": reasoning.budget_tokens}
    own = {**request.extras.get(_CHAT, {}), "reasoning": msgspec.json.encode(asked).decode()}
    return replace(request, reasoning=None, extras={**request.extras, _CHAT: own})


_STEPS: tuple[_Step, ...] = (
    _schema_in_prompt,
    _json_word,
    _files_by_address,
    _instructions,
    _past_thinking,
    _call_ids,
    _after_results,
    _window,
    _reasoning,
)
