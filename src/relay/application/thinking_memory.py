"""Remembers what models thought before they called tools, each caller's for itself, and reminds them of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from relay.application.calls import Caller
from relay.application.kept_responses import owner_of
from relay.domain.catalog import Target
from relay.domain.chat import ChatRequest, ToolCall
from relay.domain.thoughts import Thoughts, ThoughtsGathered, with_thoughts


class ThoughtStore(Protocol):
    """A bounded memory: what was kept may be gone at any time."""

    @property
    def is_empty(self) -> bool:
        """True while nothing is kept."""
        ...

    def keep(self, owner: str, key: str, thoughts: Thoughts) -> None:
        """Keep what led to a call, in place of what was kept of one of this key."""
        ...

    def find(self, owner: str, key: str) -> Thoughts | None:
        """What led to a call of this key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingMemory:
    """One call before a request leaves for its target, one after its answer is complete."""

    store: ThoughtStore

    def remember(self, caller: Caller, target: Target, gathered: ThoughtsGathered) -> None:
        """Keep what was thought in an answer of `target`, if it called tools."""
        owner = owner_of(caller)
        for key, thoughts in gathered.of(target).items():
            self.store.keep(owner, key, thoughts)

    @property
    def is_empty(self) -> bool:
        """True while there is nothing to remind anybody of."""
        return self.store.is_empty

    def restore(self, caller: Caller, target: Target, request: ChatRequest) -> ChatRequest:
        """The request with what `target` thought; the same object where there is nothing to remind it of."""
        if not any(isinstance(part, ToolCall) for message in request.messages for part in message.parts):
            return request
        return with_thoughts(request, self._recall(owner_of(caller)), target)

    def _recall(self, owner: str) -> Callable[[str], Thoughts | None]:
        return lambda key: self.store.find(owner, key)
