"""What a caller asks for, and who the caller is."""

from dataclasses import dataclass

from relay.application.ports import OriginalRequest
from relay.domain.keys import KeyRecord
from relay.domain.tags import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: the key, if one was needed or given, and the tags that came with the credential."""

    key: KeyRecord | None = None
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """One chat request, authenticated and peeked at.

    `name` is the model as the client wrote it, `tags` those of the request's headers, `client` the caller's
    address. `message_bytes` is the size of the conversation. `received_ns` is unix nanoseconds.
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
