"""How a provider differs from its dialect: a closed vocabulary, most of it edits at the top level of a request.

    rename         a field that has another name there
    drop           fields that are refused there; what was set is reported as a loss
    set_default    fields set when absent
    value_map      texts that are said otherwise there: by another text, or by the members that take the place
                   of the field (`reasoning_effort = { none = { thinking = { type = "disabled" } } }`)
    system_prompt  put first when the conversation has none; rules out passing a client's body through
    thinking_tags  thoughts stand in the answer's text, between `<think>` and `</think>`: they are taken out of its
                   beginning; rules out passing bytes through

A provider that needs more needs a module of its own, not another word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from relay.adapters.dialects.splice import assemble, raw, top_level
from relay.domain.chat import ChatRequest, Message, Text

type Members = dict[str, msgspec.Raw]


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The edits, applied in the order of the module's list."""

    rename: Mapping[str, str] = {}
    drop: tuple[str, ...] = ()
    set_default: Mapping[str, Any] = {}
    value_map: Mapping[str, Mapping[str, str | Mapping[str, Any]]] = {}
    system_prompt: str = ""
    thinking_tags: bool = False

    @property
    def edits_body(self) -> bool:
        """True when `apply` has anything to do."""
        return bool(self.rename or self.drop or self.set_default or self.value_map)


NO_QUIRKS = Quirks()

_OF_THE_CODEC = frozenset({"stream_options", "encoding_format"})
"""What the relay sees to itself, usage in streams and the form of vectors: nothing of the client's is lost."""


def apply(body: bytes, quirks: Iterable[Quirks]) -> tuple[bytes, tuple[str, ...]]:
    """The edited body, and the names of the fields that were lost in it."""
    edits = [quirk for quirk in quirks if quirk.edits_body]
    if not edits:
        return body, ()
    members = top_level(body)
    losses: list[str] = []
    for edit in edits:
        _rename(members, edit.rename)
        losses.extend(name for name in edit.drop if _dropped(members, name) and name not in _OF_THE_CODEC)
        for name, value in edit.set_default.items():
            members.setdefault(name, raw(value))
        for name, meanings in edit.value_map.items():
            _translate(members, name, meanings)
    return assemble(members), tuple(dict.fromkeys(losses))


def with_system_prompt(request: ChatRequest, prompt: str) -> ChatRequest:
    """The request with `prompt` as its first message, unless it has instructions of its own."""
    if any(message.role in ("system", "developer") for message in request.messages):
        return request
    instructions = Message(role="system", parts=(Text(text=prompt),))
    return replace(request, messages=(instructions, *request.messages))


def _rename(members: Members, names: Mapping[str, str]) -> None:
    """Where a body has both names, the provider's own counts."""
    for name, theirs in names.items():
        if (value := members.pop(name, None)) is not None:
            members.setdefault(theirs, value)


def _dropped(members: Members, name: str) -> bool:
    value = members.pop(name, None)
    return value is not None and bytes(value) != b"null"


def _translate(members: Members, name: str, meanings: Mapping[str, str | Mapping[str, Any]]) -> None:
    value = members.get(name)
    if value is None or not bytes(value).startswith(b'"'):
        return
    match meanings.get(msgspec.json.decode(value, type=str)):
        case None:
            pass
        case str() as text:
            members[name] = raw(text)
        case others:
            del members[name]
            for other, meaning in others.items():
                members.setdefault(other, raw(meaning))
