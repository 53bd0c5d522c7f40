"""A conversation of one prompt: what generate can say of one, and the conversation that comes back."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.adapters.dialects.ollama_chat.history import joined_text, settled
from relay.domain.chat import Image, Message, Text
from relay.domain.errors import Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is told, and what it shall go on from."""

    system: str = ""
    text: str = ""
    images: tuple[Image, ...] = ()

    def messages(self) -> tuple[Message, ...]:
        """The same as a conversation; nothing said is no message."""
        told = Message(role="system", parts=(Text(text=self.system),))
        text = (Text(text=self.text),) if self.text else ()
        asked = Message(role="user", parts=(*text, *self.images))
        return (*((told,) if self.system else ()), *((asked,) if asked.parts else ()))


def prompted(messages: Sequence[Message]) -> Prompt:
    """The prompt in a conversation. Raises `Unsupported` for more than one turn, or more than text and images."""
    plain = settled(messages)
    system = [message for message in plain if message.role == "system"]
    turns = [message for message in plain if message.role != "system"]
    parts = [part for message in plain for part in message.parts]
    if [message.role for message in turns] not in ([], ["user"]) or not all(
        isinstance(part, Text | Image) for part in parts
    ):
        raise Unsupported("a completion goes on from one prompt, not from a conversation", param="messages")
    return Prompt(
        system=joined_text([part for message in system for part in message.parts]),
        text=joined_text([part for message in turns for part in message.parts]),
        images=tuple(part for part in parts if isinstance(part, Image)),
    )
