"""What a request and an answer say of earlier ones: which they go on from, and what of them is to be kept.

A request that goes on from what is kept is made whole before anybody reads it: behind the relay every request has
its whole conversation. Items are kept as they were spelled, each under an id.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from relay.adapters.dialects import members, splice
from relay.adapters.dialects.openai_chat.envelope import regular
from relay.adapters.dialects.openai_responses import wire
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.items import unresolved
from relay.domain.chat import ChatRequest

_REFERENCE_TYPES = ("item_reference", "")
_END = b"data: "
_MADE = re.compile(r"_(in|out)_\d+\Z")
_NAMELESS = (
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
)
"""Items that providers take without an id; those of an answer they did not keep they refuse."""

type Item = tuple[str, bytes]
"""An item's id and its JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What a request goes on from. `keeps` is whether its answer may be gone on from in turn."""

    keeps: bool
    previous: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer to be kept, and its items."""

    id: str
    json: bytes
    output: tuple[Item, ...]


def continuation_of(body: bytes) -> Continuation:
    """Raises `InvalidRequest` for a body that is none."""
    found = regular(body, splice.top_level)
    return Continuation(
        keeps=bytes(found.get("store", wire.NULL)) != b"false",
        previous=members.text(found.get("previous_response_id")),
        references=tuple(
            reference for raw in members.items(found.get("input")) if (reference := _reference(raw))
        ),
    )


def continued(body: bytes, history: Sequence[bytes], referred: Mapping[str, bytes]) -> bytes:
    """The body with what it goes on from in it. Raises `InvalidRequest` for a reference that is not `referred`."""
    found = dict(regular(body, splice.top_level))
    found.pop("previous_response_id", None)
    items = [_sendable(item) for item in history]
    for index, raw in enumerate(_input_items(found.get("input"))):
        reference = _reference(raw)
        if not reference:
            items.append(raw)
        elif (kept := referred.get(reference)) is not None:
            items.append(_sendable(kept))
        else:
            raise unresolved(reference, f"input[{index}]")
    found["input"] = splice.raw(items)
    return splice.assemble(found)


def with_continuation(request: ChatRequest, asked: Continuation) -> ChatRequest:
    """The request as an answer repeats it: a whole one, yet with what it went on from."""
    told = {"store": "true" if asked.keeps else "false"}
    if asked.previous:
        told["previous_response_id"] = json.dumps(asked.previous)
    return replace(request, extras={**request.extras, NAME: {**request.extras.get(NAME, {}), **told}})


def input_of(body: bytes, answer_id: str) -> tuple[Item, ...]:
    """The items of a whole request, in the form in which they are listed, each with an id."""
    items = _input_items(regular(body, splice.top_level).get("input"))
    return tuple(_listed(raw, f"{answer_id}_in_{number}") for number, raw in enumerate(items))


def answered(data: bytes) -> Answered | None:
    """The answer in a whole body, or in the bytes that end a stream; `None` where it is not complete."""
    body = data.strip()
    if not body.startswith(b"{"):
        _, _, event = body.rpartition(b"\n" + _END) if b"\n" + _END in body else body.partition(_END)
        body = bytes(members.members(msgspec.Raw(event)).get("response", b""))
    response = members.members(msgspec.Raw(body)) if body else {}
    answer_id, status = members.text(response.get("id")), members.text(response.get("status"))
    if not answer_id or status not in ("completed", "incomplete"):
        return None
    output = [_listed(raw, f"{answer_id}_out_{number}") for number, raw in enumerate(_output(response))]
    return Answered(id=answer_id, json=body, output=tuple(output))


def _sendable(item: bytes) -> msgspec.Raw:
    """An item that was kept, as a provider may see it: without an id that it does not know, or no longer does."""
    found = dict(members.members(msgspec.Raw(item)))
    if members.text(found.get("type")) in _NAMELESS or _MADE.search(members.text(found.get("id"))):
        found.pop("id", None)
    return splice.raw(found)


def _output(response: members.Members) -> Sequence[msgspec.Raw]:
    return members.items(response.get("output"))


def _input_items(value: msgspec.Raw | None) -> Sequence[msgspec.Raw]:
    if text := members.text(value):
        return (splice.raw({"type": "message", "role": "user", "content": text}),)
    return members.items(value)


def _reference(raw: msgspec.Raw) -> str:
    """The id of what stands elsewhere; some clients leave out that it is a reference."""
    item = members.members(raw)
    is_bare = members.text(item.get("type")) in _REFERENCE_TYPES and "role" not in item
    return members.text(item.get("id")) if is_bare else ""


def _listed(raw: msgspec.Raw, made_id: str) -> Item:
    item = dict(members.members(raw))
    item_id = members.text(item.get("id")) or made_id
    if "role" in item:
        item = {"type": splice.raw("message"), **item}
        if text := members.text(item.get("content")):
            kind = "output_text" if members.text(item.get("role")) == "assistant" else "input_text"
            item["content"] = splice.raw([{"type": kind, "text": text}])
    return item_id, splice.assemble({"id": splice.raw(item_id), **item} if item else {})
