"""The ports: what the use cases need from the outside, named by role.

The chat path pulls pieces from a provider (`Exchange.read`) and pushes them into a `Reply`: neither side
needs a queue, a task or a generator per stream.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

from relay.domain.catalog import Catalog
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse
from relay.domain.errors import RelayError
from relay.domain.events import StreamEvent
from relay.domain.keys import KeyRecord
from relay.domain.ledger import AttemptEnded, AttemptStarted
from relay.domain.values import value

type OnDisconnect = Literal["cancel", "drain"]


@value
class Piece:
    """What one read from the provider means, and, in pass-through, its bytes.

    `last` marks the end of a complete answer; its bytes are the closing ones, possibly none. A whole answer
    that is not streamed is one last piece; of one that passes, the events may be no more than metering needs,
    counts and finish, as its bytes say the rest.
    """

    events: Sequence[StreamEvent]
    raw: bytes | None = None
    last: bool = False


@value
class OriginalRequest:
    """The client's request as it came. `decode` gives the canonical form, computed once when first asked.

    `headers` are those that belong to the dialect and go along where the body passes.
    """

    dialect: DialectName
    body: bytes
    decode: Callable[[], ChatRequest]
    headers: tuple[tuple[str, str], ...] = ()


@value
class UpstreamCall:
    """One attempt's orders to a backend: `model` is the provider's exact id, `echo` the name the client used.

    `losses` is what the canonical form of the request has lost already, for its target's sake.
    """

    original: OriginalRequest
    model: str
    echo: str
    stream: bool
    include_usage: bool
    request_id: str
    losses: tuple[str, ...] = ()


class AcceptedCall(Protocol):
    """A call that its provider has accepted. Must be closed, unless its answer was read to the end."""

    @property
    def status(self) -> int:
        """The HTTP status of the accepted call."""
        ...

    @property
    def losses(self) -> tuple[str, ...]:
        """What of the request could not be carried."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection; a half-read one is closed, which is the provider's sign to stop."""
        ...


class Exchange(AcceptedCall, Protocol):
    """An accepted chat call whose answer is being read."""

    @property
    def passes(self) -> bool:
        """True when the provider's bytes pass through."""
        ...

    async def read(self) -> Piece:
        """The next piece. After the last one it may not be called. Raises `UpstreamError`."""
        ...

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        """Hand over what comes, as it comes and without waking a task for each piece, while `take` returns true.

        Returns when it has not, and when the next piece is one for `read`: the last, a failure, or any, as nothing
        need flow at all. `take` does not raise.
        """
        ...


class ChatBackend(Protocol):
    """A live provider."""

    @property
    def on_disconnect(self) -> OnDisconnect:
        """What a streamed call does when its client leaves."""
        ...

    def open(self, call: UpstreamCall) -> Awaitable[Exchange]:
        """Send the request and read the answer's head. Raises `UpstreamError`, at once or when awaited."""
        ...


@value
class OriginalEmbedding:
    """The client's embeddings request, as it came and in canonical form."""

    dialect: EmbeddingDialectName
    body: bytes
    request: EmbedRequest


@value
class UpstreamEmbedCall:
    """As `UpstreamCall`, for embeddings."""

    original: OriginalEmbedding
    model: str
    echo: str
    request_id: str


@value
class EmbedAnswer:
    """A whole answer, its vectors fitted to the request; `raw` where the client may get the bytes as they are."""

    response: EmbedResponse
    raw: bytes | None = None


class EmbedExchange(AcceptedCall, Protocol):
    """An accepted embeddings call."""

    async def read(self) -> EmbedAnswer:
        """The answer; to be called once. Raises `UpstreamError`."""
        ...


class EmbeddingBackend(Protocol):
    """A live provider of embeddings."""

    @property
    def takes_tokens(self) -> bool:
        """True when inputs may be lists of token ids."""
        ...

    async def open(self, call: UpstreamEmbedCall) -> EmbedExchange:
        """Send the request and read the answer's head. Raises `UpstreamError`."""
        ...


class EmbeddingBackends(Protocol):
    """The live providers of embeddings by name."""

    def find_embedding(self, provider: str) -> EmbeddingBackend | None:
        """The backend of a configured provider; `None` when it makes no embeddings."""
        ...


class Backends(Protocol):
    """The live providers by name."""

    def find(self, provider: str) -> ChatBackend | None:
        """The backend of a configured provider."""
        ...


class CatalogSource(Protocol):
    """Where the current snapshot is."""

    def current(self) -> Catalog:
        """The snapshot to use for a new call."""
        ...


class Ledger(Protocol):
    """The books' first page: synchronous, append-only, durable against a kill of the process."""

    def begin(self, started: AttemptStarted) -> None:
        """Before the provider is called. Raises `AccountingUnavailable`."""
        ...

    def end(self, ended: AttemptEnded) -> None:
        """Before the last byte leaves. Never raises: what cannot be written is kept and retried."""
        ...


class Keys(Protocol):
    """The relay's own API keys, from memory."""

    def find(self, public_id: str) -> KeyRecord | None:
        """The record of this key, live or not."""
        ...

    def any_exist(self) -> bool:
        """True once a key was ever created, revoked ones included."""
        ...


class Clock(Protocol):
    """Time. Waits use the monotonic clock; the wall clock is only stamped."""

    def unix_ms(self) -> int:
        """Wall clock, milliseconds."""
        ...

    def unix_ns(self) -> int:
        """Wall clock, nanoseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class Ids(Protocol):
    """Identity."""

    def new(self) -> str:
        """A UUIDv7: unique, and sortable by time."""
        ...


@value
class ReplyHead:
    """What the answer's head tells of the attempt that serves it."""

    provider: str
    model: str
    resolved_by: str
    attempts: int
    losses: tuple[str, ...] = ()


class AnyReply(Protocol):
    """The client's end, whatever is answered."""

    @property
    def begun(self) -> bool:
        """True once the head has left: from then on failures are in-band and nothing is tried again."""
        ...

    def prepare(self, head: ReplyHead) -> None:
        """The head of the attempt being made; the last one prepared is sent."""
        ...

    async def fail(self, error: RelayError) -> None:
        """The in-band error of a stream whose head has left."""
        ...


class Reply(AnyReply, Protocol):
    """The end of a chat. The head leaves with `write` or, on its own account, when a stream waited too long."""

    async def write(self, piece: Piece) -> None:
        """More of a stream; the first call sends the head."""
        ...

    def pass_on(self, piece: Piece) -> bool:
        """As `write`, at once. False when the client is slow: then `catch_up` has to be awaited before more."""
        ...

    async def catch_up(self) -> None:
        """Wait until the client has taken what was passed on."""
        ...

    async def finish(self, piece: Piece) -> None:
        """The end of a complete answer, or the whole of one that is not streamed."""
        ...


class EmbedReply(AnyReply, Protocol):
    """The end of an embeddings call."""

    async def finish(self, answer: EmbedAnswer) -> None:
        """The head and the whole answer."""
        ...


class Hangup(Protocol):
    """The client's leaving, as the use case sees it."""

    @property
    def happened(self) -> bool:
        """True once the client has left."""
        ...

    def listen(self, react: Callable[[], None]) -> None:
        """Call `react` when the client leaves, at once if it has; a later call replaces the reaction."""
        ...
