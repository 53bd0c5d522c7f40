"""What a dialect is: the symmetric codec of one wire language, without I/O.

Theory of operation. Inbound uses the `ClientDialect` in it, outbound the `ProviderDialect`. Where a language has
both halves they are one object, a `Dialect`, so it is tested against itself. Decoders raise `InvalidRequest` (the
client's fault) or `Malformed` (the provider's); anything else that escapes is a bug. Encoders take time and
identity from a `Scene` and are otherwise deterministic.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from relay.domain.chat import ChatRequest, DialectName
from relay.domain.errors import InvalidRequest, LacksCapability, RelayError, Unsupported
from relay.domain.events import ChatResponse, StreamEvent
from relay.domain.values import value

type Members = dict[str, msgspec.Raw]
"""The top level of a request, its values untouched."""

type EditMembers = Callable[[Members], tuple[str, ...]]
"""Changes a request in place, at its top level; gives the names of the fields that were lost."""

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""The largest single SSE event or NDJSON line that is buffered; beyond it the upstream is `Malformed`."""

COMMENT = b": keep-alive\n\n"
"""A comment of an event stream, which no client takes for an event."""

MAX_ITEMS = 20_000
"""The most messages, parts, calls, tools and inputs of one request that are taken apart. Each costs a few of the
event loop's microseconds, and a body has room for millions."""


@value
class Envelope:
    """What is read of a request before it is known who shall serve it.

    `model` is as the client wrote it. `include_usage` is true where the client will get usage in a stream.
    `message_bytes` is the size of the conversation, for an estimate of its tokens.
    """

    model: str
    stream: bool
    include_usage: bool
    message_bytes: int


@value
class Scene:
    """What an encoder may not invent: identity, the name to echo, and the clock.

    `created` is unix seconds; `started_ns` and `clock_ns()` are unix nanoseconds, the first being when the
    request was received. `asked` is the request, for dialects whose answers repeat what was asked, and whose calls
    are spelled as their tools were declared.
    """

    id: str
    model: str
    created: int
    started_ns: int
    clock_ns: Callable[[], int]
    include_usage: bool = False
    asked: ChatRequest | None = None


@value
class WireRequest:
    """A request for a provider: path below its base URL, body, and what could not be carried.

    `headers` go with this request, under those that every request to the provider has.
    """

    path: str
    body: bytes
    losses: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@value
class WireError:
    """An error in a dialect's own shape."""

    status: int
    body: bytes
    content_type: str


@value
class ProviderFault:
    """What a provider's error body says; empty texts when it says nothing readable.

    `retry_after_s` is how long it wants to be left alone, where that stands in the body.
    """

    message: str = ""
    code: str = ""
    retry_after_s: float | None = None


@value
class Tapped:
    """What a tap saw in the bytes fed to it, and the bytes to pass on."""

    events: Sequence[StreamEvent]
    raw: bytes


class StreamDecoder(Protocol):
    """A provider's stream, bytes in, events out, whatever the cuts between the bytes.

    A whole answer, or an error alone, in place of a stream is read as one.
    """

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """Events completed by these bytes. A broken stream yields `Failed` as the last event, then nothing."""
        ...

    def close(self) -> Sequence[StreamEvent]:
        """Events completed by the end of the bytes; `Failed(Interrupted)` when no finish marker was seen."""
        ...


class StreamTap(Protocol):
    """A same-dialect stream passed through: the model's name rewritten, usage withheld unless asked for.

    Events are only what metering needs: one `PartStarted` and `PartDelta` per piece of content, usage, finish,
    failure. The bytes that end the answer (`[DONE]`, the line with `done: true`) come from `close` alone.
    """

    def feed(self, data: bytes) -> Tapped:
        """As `StreamDecoder.feed`, with the bytes to pass on."""
        ...

    def close(self) -> Tapped:
        """As `StreamDecoder.close`, with the closing bytes; none after a failure."""
        ...


class StreamEncoder(Protocol):
    """An answer on its way to a client, events in, bytes out."""

    def send(self, event: StreamEvent) -> bytes:
        """Bytes for this event, often none. `Failed` gives the dialect's in-band error."""
        ...

    def close(self) -> bytes:
        """The bytes that end a complete answer; none after a failure."""
        ...


class ClientDialect(Protocol):
    """What it takes to be spoken to in a wire language: requests read, answers and errors written."""

    name: DialectName
    framing: Literal["sse", "ndjson"]
    stream_content_type: str
    whole_content_type: str
    keep_alive: bytes
    """What a stream says while there is nothing to say; nothing, where the dialect has no word for it."""

    def peek(self, body: bytes) -> Envelope:
        """The envelope alone. Raises `InvalidRequest`."""
        ...

    def decode_request(self, body: bytes) -> ChatRequest:
        """Raises `InvalidRequest` or `Unsupported`."""
        ...

    def encode_response(self, response: ChatResponse, scene: Scene) -> bytes:
        """The whole answer, not streamed."""
        ...

    def encoder(self, scene: Scene) -> StreamEncoder:
        """A fresh encoder."""
        ...

    def encode_error(self, error: RelayError) -> WireError:
        """An error before the first byte."""
        ...


class ProviderDialect(Protocol):
    """What it takes to call a provider in its wire language: requests written, answers and errors read."""

    name: DialectName
    framing: Literal["sse", "ndjson"]

    def encode_request(self, request: ChatRequest) -> WireRequest:
        """`request.model` and `request.stream` are those for the provider; streams always ask for usage.

        Raises `Unsupported` for what cannot be left out: see `refuse_completion` for what that is to a chat.
        """
        ...

    def decode_response(self, body: bytes) -> ChatResponse:
        """Raises `Malformed`, or the provider's own failure when the body is an error."""
        ...

    def decoder(self) -> StreamDecoder:
        """A fresh decoder."""
        ...

    def decode_error(self, body: bytes) -> ProviderFault:
        """What an error body of this dialect says. Never raises."""
        ...


class Dialect(ClientDialect, ProviderDialect, Protocol):
    """A wire language spoken on both sides, so that bytes may pass from one to the other."""

    def retarget(
        self, body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None
    ) -> WireRequest:
        """The client's own body with `model` replaced and, for a stream, usage asked for; order kept.

        `edit` is done last, and the losses are its.
        """
        ...

    def glance(self, body: bytes) -> Sequence[StreamEvent] | None:
        """What metering needs of a whole answer that is finished and has counted its tokens.

        `None` for any other body, which has to be decoded. Never raises.
        """
        ...

    def rename_response(self, body: bytes, model: str) -> bytes:
        """A whole answer of this dialect with the model's name replaced and nothing else. Raises `Malformed`."""
        ...

    def tap(self, scene: Scene) -> StreamTap:
        """A fresh tap."""
        ...


def refuse_completion(request: ChatRequest) -> None:
    """For the requests of chat dialects. Raises `Unsupported` when what is asked is more than a chat."""
    if request.completion is None:
        return
    if request.completion.suffix:
        raise LacksCapability(request.model, "insert")
    raise Unsupported("raw mode needs a provider that takes prompts; this one takes chats only", param="raw")


def check_items(*lists: Sequence[object] | None) -> None:
    """Raises `InvalidRequest` when these are more than `MAX_ITEMS` in all."""
    if sum(len(items) for items in lists if items is not None) > MAX_ITEMS:
        raise InvalidRequest(f"the request has more than {MAX_ITEMS} messages, parts, tools and inputs")
