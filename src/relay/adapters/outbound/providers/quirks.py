"""How a provider differs from its dialect: a closed vocabulary.

Edits at the top level of a request's body, in this order; they hold for bodies that pass, too:

    rename         a field that has another name there
    drop           fields that are refused there; what was set is reported as a loss
    set_default    fields set when absent
    efforts        the reasoning efforts that are taken, any other becoming the nearest; an empty list: none at all
    value_map      texts that are said otherwise there: by another text, or by the members that take the place
                   of the field (`reasoning_effort = { none = { thinking = { type = "disabled" } } }`)
    mistral_parts  files and past thoughts are parts of a message's content, as Mistral spells them

Changes of the conversation before it is written; see `conversations.py`:

    budgets            reasoning efforts in tokens, for models that are told how many they may think
    reasoning_object   reasoning is asked for by OpenRouter's `reasoning` object, where a budget has a place
    json_word          JSON is refused where no message speaks of it: then the instructions do
    schema_in_prompt   a JSON Schema is not enforced: it is put into the instructions, and JSON is asked for
    files_by_address   a file that is elsewhere is taken where an inline one would stand
    system_prompt      put first when the conversation has none; rules out passing a client's body through
    instructions       "in_prompt" where there is no role for them: they open what the user says first
    past_thinking      "with_calls" or "dropped" where thoughts of earlier turns are refused or useless; "sealed"
                       where OpenRouter's `reasoning_details` are taken back, which are a stranger's anywhere else
    call_ids           "alnum9" where an id of a tool call is nine letters and digits
    after_results      what the assistant says between a tool's result and the user's next message
    num_ctx            the window in tokens that an Ollama is asked for when the caller says none: it cuts longer
                       prompts to its own, which may be small, and tells nobody

Changes of the answer:

    thinking_tags  thoughts stand in the answer's text, between `<think>` and `</think>`: they are taken out of its
                   beginning; rules out passing bytes through

A provider that needs more needs a module of its own, not another word.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import EditMembers, Members
from relay.adapters.dialects.splice import assemble, raw, top_level
from relay.adapters.outbound.providers import mistral_parts
from relay.domain.chat import EFFORTS, ChatRequest, Effort, Message, Text


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of the module's list. `efforts` that are `None` are those of the dialect."""

    rename: Mapping[str, str] = {}
    drop: tuple[str, ...] = ()
    set_default: Mapping[str, Any] = {}
    efforts: tuple[Effort, ...] | None = None
    value_map: Mapping[str, Mapping[str, str | Mapping[str, Any]]] = {}
    mistral_parts: bool = False
    budgets: Mapping[Effort, int] = {}
    reasoning_object: bool = False
    json_word: bool = False
    schema_in_prompt: bool = False
    files_by_address: bool = False
    system_prompt: str = ""
    instructions: Literal["", "in_prompt"] = ""
    past_thinking: Literal["", "with_calls", "dropped", "sealed"] = ""
    call_ids: Literal["", "alnum9"] = ""
    after_results: str = ""
    num_ctx: Annotated[int, msgspec.Meta(ge=0)] = 0
    thinking_tags: bool = False

    @property
    def edits_body(self) -> bool:
        """True when `apply` has anything to do."""
        edits = self.rename or self.drop or self.set_default or self.value_map or self.mistral_parts
        return bool(edits) or self.efforts is not None


NO_QUIRKS = Quirks()

_OF_THE_CODEC = frozenset({"stream_options", "encoding_format"})
"""What the relay sees to itself, usage in streams and the form of vectors: nothing of the client's is lost."""

_EFFORT = "reasoning_effort"
"""The field of OpenAI's chat, and the name under which an effort is lost."""


def overlaid(quirks: Iterable[Quirks]) -> Quirks:
    """What several quirks come to for what is one thing per model: of each word the last one that was said.

    The edits of bodies follow one another instead: see `apply`.
    """
    said: dict[str, Any] = {}
    for quirk in quirks:
        for field in msgspec.structs.fields(Quirks):
            value = getattr(quirk, field.name)
            if value != field.default and (value or value == ()):
                said[field.name] = value
    return Quirks(**said)


def apply(body: bytes, quirks: Iterable[Quirks]) -> tuple[bytes, tuple[str, ...]]:
    """The edited body, and the names of the fields that were lost in it."""
    edit = edit_of(quirks)
    if edit is None:
        return body, ()
    members = top_level(body)
    losses = edit(members)
    return assemble(members), losses


def edit_of(quirks: Iterable[Quirks]) -> EditMembers | None:
    """What the quirks come to, as one edit; `None` when they change nothing."""
    edits = [quirk for quirk in quirks if quirk.edits_body]
    return partial(_edit, edits) if edits else None


def _edit(edits: Sequence[Quirks], members: Members) -> tuple[str, ...]:
    losses: list[str] = []
    efforts = next((edit.efforts for edit in reversed(edits) if edit.efforts is not None), None)
    if efforts is not None:
        losses += _fit_effort(members, efforts)
    for edit in edits:
        _rename(members, edit.rename)
        losses.extend(name for name in edit.drop if _dropped(members, name) and name not in _OF_THE_CODEC)
        for name, value in edit.set_default.items():
            members.setdefault(name, raw(value))
        for name, meanings in edit.value_map.items():
            _translate(members, name, meanings)
        if edit.mistral_parts and "messages" in members:
            members["messages"] = mistral_parts.rewritten(members["messages"])
    return tuple(dict.fromkeys(losses))


def nearest(effort: Effort, taken: Sequence[Effort]) -> Effort | None:
    """The effort that is taken for this one, of two as near the greater; `None` when none is.

    No thinking is more than a little less thinking: what is to think becomes `none` only where there is nothing
    else, and `none`, where it is refused, the least there is.
    """
    if effort in taken:
        return effort
    thinking: Sequence[Effort] = [other for other in taken if other != "none"] or taken
    if not thinking:
        return None
    place = EFFORTS.index(effort)
    return min(thinking, key=lambda other: (abs(EFFORTS.index(other) - place), -EFFORTS.index(other)))


def with_system_prompt(request: ChatRequest, prompt: str) -> ChatRequest:
    """The request with `prompt` as its first message, unless it has instructions of its own."""
    if any(message.role in ("system", "developer") for message in request.messages):
        return request
    instructions = Message(role="system", parts=(Text(text=prompt),))
    return replace(request, messages=(instructions, *request.messages))


def _fit_effort(members: Members, efforts: Sequence[Effort]) -> list[str]:
    """The effort in a body of OpenAI's chat, or below `reasoning` as in its Responses, put as it is taken."""
    if (word := _word(members.get(_EFFORT))) in EFFORTS:
        fitting = nearest(word, efforts)
        if fitting is None:
            del members[_EFFORT]
            return [] if word == "none" else [_EFFORT]
        members[_EFFORT] = raw(fitting)
    if "reasoning" in members and efforts:
        try:
            inner = top_level(bytes(members["reasoning"]))
        except lenient.Undecodable:  # no object: the provider's to refuse
            return []
        if (word := _word(inner.get("effort"))) in EFFORTS:
            inner["effort"] = raw(nearest(word, efforts))
            members["reasoning"] = msgspec.Raw(assemble(inner))
    return []


def _rename(members: Members, names: Mapping[str, str]) -> None:
    """Where a body has both names, the provider's own counts."""
    for name, theirs in names.items():
        if (value := members.pop(name, None)) is not None:
            members.setdefault(theirs, value)


def _dropped(members: Members, name: str) -> bool:
    value = members.pop(name, None)
    return value is not None and bytes(value) != b"null"


def _translate(members: Members, name: str, meanings: Mapping[str, str | Mapping[str, Any]]) -> None:
    match meanings.get(_word(members.get(name))):
        case None:
            pass
        case str() as text:
            members[name] = raw(text)
        case others:
            del members[name]
            for other, meaning in others.items():
                members.setdefault(other, raw(meaning))


def _word(value: msgspec.Raw | None) -> Any:
    """A member that is a text; nothing else equals any word."""
    if value is None or not bytes(value).startswith(b'"'):
        return None
    return msgspec.json.decode(value, type=str)
