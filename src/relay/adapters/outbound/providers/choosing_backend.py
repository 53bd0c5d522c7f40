"""A provider that is called by chat or by Responses, whichever carries what is asked: a `ChatBackend` before two.

OpenAI's chat refuses function tools beside reasoning from gpt-5.4 on, also where reasoning is the model's own
default (https://platform.openai.com/docs/guides/reasoning), and some models have no chat at all. Which these are
is data.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from relay.application.ports import ChatBackend, Exchange, OnDisconnect, UpstreamCall
from relay.domain.chat import ChatRequest, DialectName

_OWN: DialectName = "openai.responses"


class ResponsesModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Globs of models: those that have no chat, and those whose chat takes no tools while they reason."""

    always: tuple[str, ...] = ()
    with_tools: tuple[str, ...] = ()


def needs_responses(request: ChatRequest, model: str, models: ResponsesModels) -> bool:
    """Whether this request to `model` has to go by Responses.

    Several choices never do, as only chat gives them. Without a word on reasoning the model's default counts, which
    is to reason.
    """
    if request.choice_count != 1:
        return False
    if _fits(model, models.always):
        return True
    has_tools = bool(request.tools) and request.tool_choice != "none"
    reasons = request.reasoning is None or request.reasoning.effort != "none"
    return has_tools and reasons and _fits(model, models.with_tools)


def _fits(model: str, patterns: Iterable[str]) -> bool:
    name = model.lower()
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoosingBackend:
    """A `ChatBackend`. Clients that speak Responses are served by it in any case, as their bytes may pass."""

    chat: ChatBackend
    responses: ChatBackend
    models: ResponsesModels

    @property
    def on_disconnect(self) -> OnDisconnect:
        """As `ChatBackend.on_disconnect`."""
        return self.chat.on_disconnect

    def open(self, call: UpstreamCall) -> Awaitable[Exchange]:
        """As `ChatBackend.open`; also raises what the client's body gives cause for."""
        if call.original.dialect == _OWN:
            return self.responses.open(call)
        may_need = _fits(call.model, (*self.models.always, *self.models.with_tools))
        if may_need and needs_responses(call.original.decode(), call.model, self.models):
            return self.responses.open(call)
        return self.chat.open(call)
