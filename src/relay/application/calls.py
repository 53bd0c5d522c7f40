"""What a caller asks for, and who the caller is."""

from typing import Protocol

from relay.application.metering import estimated_tokens
from relay.application.ports import OriginalEmbedding, OriginalRequest
from relay.domain.keys import KeyRecord
from relay.domain.tags import Tag
from relay.domain.values import value


@value
class Caller:
    """Who calls: the key, if one was needed or given, and the tags that came with the credential."""

    key: KeyRecord | None = None
    tags: tuple[Tag, ...] = ()


class Call(Protocol):
    """What planning and booking need of a call, whatever it asks for.

    `name` is the model as the client wrote it, `tags` those of the request's headers, `client` the caller's
    address. `input_tokens_estimate` counts for the books when the provider never reports.
    """

    @property
    def request_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def caller(self) -> Caller: ...
    @property
    def tags(self) -> tuple[Tag, ...]: ...
    @property
    def client(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def stream(self) -> bool: ...
    @property
    def input_tokens_estimate(self) -> int: ...


@value
class ChatCall:
    """One chat request, authenticated and peeked at; a `Call`.

    `message_bytes` is the size of the conversation. `received_ns` is unix nanoseconds.
    """

    request_id: str
    original: OriginalRequest
    name: str
    stream: bool
    include_usage: bool
    message_bytes: int
    caller: Caller
    tags: tuple[Tag, ...] = ()
    client: str = ""
    received_ns: int = 0

    @property
    def dialect(self) -> str:
        """As `Call.dialect`."""
        return self.original.dialect

    @property
    def input_tokens_estimate(self) -> int:
        """As `Call.input_tokens_estimate`."""
        return estimated_tokens(self.message_bytes)


@value
class EmbedCall:
    """One embeddings request, authenticated and decoded; a `Call`. `received_ns` is unix nanoseconds."""

    request_id: str
    original: OriginalEmbedding
    input_tokens_estimate: int
    caller: Caller
    tags: tuple[Tag, ...] = ()
    client: str = ""
    received_ns: int = 0

    @property
    def name(self) -> str:
        """As `Call.name`."""
        return self.original.request.model

    @property
    def dialect(self) -> str:
        """As `Call.dialect`."""
        return self.original.dialect

    @property
    def stream(self) -> bool:
        """As `Call.stream`: embeddings come whole."""
        return False
