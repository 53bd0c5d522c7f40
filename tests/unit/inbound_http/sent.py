"""Records what an application sends, without a server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from relay.adapters.inbound.http.asgi import Message


@dataclass
class Sent:
    """The messages sent; `before` runs, and may wait or raise, ahead of each."""

    messages: list[Message] = field(default_factory=list)
    before: Callable[[Message], Awaitable[None]] | None = None

    async def __call__(self, message: Message) -> None:
        if self.before is not None:
            await self.before(message)
        self.messages.append(message)

    @property
    def head(self) -> dict[bytes, bytes]:
        """The headers sent."""
        return dict(self.messages[0]["headers"])

    @property
    def parts(self) -> list[bytes]:
        """The body's parts as they were sent."""
        return [message["body"] for message in self.messages if message["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def is_complete(self) -> bool:
        """True when the last message was sent, and nothing after it."""
        bodies = [message for message in self.messages if message["type"] == "http.response.body"]
        return [message["more_body"] for message in bodies] == [True] * (len(bodies) - 1) + [False]
