"""What must not pass to OpenAI of a client's own body, edited in place: the rest stays as it was spelled."""

import re
from collections.abc import Callable, Mapping

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import Members
from relay.adapters.dialects.openai_chat.ids import MAX_ID_CHARACTERS, fitting

_ABSENT = re.compile(rb"null|\[\s*\]")
_LONG_ID = re.compile(rb'"(?:tool_call_)?id"\s*:\s*"[^"]{%d}' % (MAX_ID_CHARACTERS + 1))

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)


def passable(members: Mapping[str, msgspec.Raw]) -> Members:
    """A body's members without those that are as good as absent, and with ids of tool calls within the limit.

    OpenAI refuses an empty list of tools, and the long ids that other providers make. It ignores what is almost
    called `model`; others of its dialect do not.
    """
    passed = {
        name: value
        for name, value in members.items()
        if not (_ABSENT.fullmatch(value) or splice.is_other_spelling(name))
    }
    messages = passed.get("messages")
    if messages is not None and _LONG_ID.search(messages):
        passed["messages"] = _each(messages, _message)
    return passed


def _message(message: Members) -> Members:
    edited = _fitted(message, "tool_call_id")
    if "tool_calls" in edited:
        edited["tool_calls"] = _each(edited["tool_calls"], lambda call: _fitted(call, "id"))
    return edited


def _fitted(members: Members, name: str) -> Members:
    """The members with this id in a length that is taken; what is no text is left to the provider."""
    try:
        return {**members, name: splice.raw(fitting(_text.decode(members[name])))}
    except (KeyError, msgspec.MsgspecError):
        return members


def _each(values: msgspec.Raw, edit: Callable[[Members], Members]) -> msgspec.Raw:
    """The list with every object in it edited; what is no list is left to the provider."""
    try:
        return splice.raw([_edited(value, edit) for value in _raws.decode(values)])
    except msgspec.MsgspecError:
        return values


def _edited(value: msgspec.Raw, edit: Callable[[Members], Members]) -> msgspec.Raw:
    try:
        return msgspec.Raw(splice.assemble(edit(splice.top_level(bytes(value)))))
    except lenient.Undecodable:
        return value
