"""What a model can do and what a call needs of it.

A capability a provider never spoke of is *unknown*, not absent: only a known absence refuses a call.
"""

from dataclasses import dataclass
from typing import Literal

from relay.domain.chat import Audio, ChatRequest, Image, Message, ToolResult

type Capability = Literal["completion", "tools", "vision", "thinking", "embedding", "insert", "audio"]

CAPABILITIES: tuple[Capability, ...] = (
    "completion",
    "tools",
    "vision",
    "thinking",
    "embedding",
    "insert",
    "audio",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What is known of a model: `known` is false when the provider's listing says nothing of it."""

    offered: frozenset[Capability] = frozenset({"completion"})
    known: bool = False

    def lacks(self, capability: Capability) -> bool:
        """True only when the model is known not to have it."""
        return self.known and capability not in self.offered

    def listed(self) -> tuple[Capability, ...]:
        """In the fixed order of listings."""
        return tuple(word for word in CAPABILITIES if word in self.offered)


def needed(request: ChatRequest) -> frozenset[Capability]:
    """What a call cannot do without. `Reasoning` that is off needs nothing."""
    needs: set[Capability] = {"completion"}
    if request.tools and request.tool_choice != "none":
        needs.add("tools")
    if any(_has_image(message) for message in request.messages):
        needs.add("vision")
    if any(isinstance(part, Audio) for message in request.messages for part in message.parts):
        needs.add("audio")
    if request.reasoning is not None and request.reasoning.effort != "none":
        needs.add("thinking")
    if request.completion is not None and request.completion.suffix:
        needs.add("insert")
    return frozenset(needs)


def _has_image(message: Message) -> bool:
    return any(
        isinstance(part, Image)
        or (isinstance(part, ToolResult) and any(isinstance(inner, Image) for inner in part.parts))
        for part in message.parts
    )
