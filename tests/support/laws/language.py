"""A dialect with its declared poverty, and short ways to speak it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import strategies as st

from relay.adapters.dialects.base import ClientDialect, Dialect, Scene, WireRequest
from relay.domain.chat import ChatRequest
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse, Failed, PartDelta, PartStarted, StreamEvent

CLOCK_START_NS = 1_790_000_000_123_456_789
TICK_NS = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLanguage:
    """A dialect that clients speak; `norm` says what is left of an answer that was written and read in it."""

    dialect: ClientDialect
    norm: Callable[[ChatResponse], ChatResponse]

    def __str__(self) -> str:
        return self.dialect.name

    @property
    def always_tells_usage(self) -> bool:
        """Whether a client gets usage in a stream without asking for it."""
        return self.dialect.peek(b'{"model":"m","messages":[],"stream":true}').include_usage

    def expected(self, response: ChatResponse, scene: Scene) -> ChatResponse:
        """What is read back of a response that was written in this scene."""
        return self.norm(in_scene(response, scene))

    def written(self, events: Iterable[StreamEvent], scene: Scene) -> bytes:
        """The stream a client reads."""
        encoder = self.dialect.encoder(scene)
        return b"".join(encoder.send(event) for event in events) + encoder.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Language(ClientLanguage):
    """A dialect that clients and providers speak.

    `norm_request` says what is left of a request; `requests` are what it is tried on, most of which it can carry.
    `asked` is the body as a client's would be that is sent to a provider so: where the path says a part of it, that
    stands in the body again, under the names in `in_path`.
    """

    dialect: Dialect
    norm_request: Callable[[ChatRequest], ChatRequest]
    requests: st.SearchStrategy[ChatRequest]
    asked: Callable[[WireRequest], bytes] = lambda wire: wire.body
    in_path: frozenset[str] = frozenset()

    @property
    def names_model(self) -> bool:
        """Whether an answer says which model gave it."""
        return bool(self.norm(ChatResponse(choices=(), model="m")).model)

    def sent(self, request: ChatRequest) -> bytes:
        """The body of a client that asks for this."""
        return self.asked(self.dialect.encode_request(request))

    @property
    def leaves_out_empty(self) -> bool:
        """Whether members of a client's body that are null or empty lists do not reach the provider."""
        return b"null" not in self.dialect.retarget(b'{"model":"m","x":null}', "m", count_usage=False).body

    def read(self, chunks: Iterable[bytes]) -> list[StreamEvent]:
        """The events of a provider's stream that arrives in these chunks."""
        decoder = self.dialect.decoder()
        events = [event for chunk in chunks for event in decoder.feed(chunk)]
        return [*events, *decoder.close()]

    def tapped(self, chunks: Iterable[bytes], scene: Scene) -> tuple[list[StreamEvent], bytes]:
        """What a tap sees of these chunks, and what it passes on."""
        tap = self.dialect.tap(scene)
        seen = [tap.feed(chunk) for chunk in chunks]
        seen.append(tap.close())
        return [event for each in seen for event in each.events], b"".join(each.raw for each in seen)


def a_scene(*, model: str = "asked-for", include_usage: bool = True) -> Scene:
    """A scene on a clock that ticks evenly from the same instant."""
    ticks = count(CLOCK_START_NS, TICK_NS)
    return Scene(
        id="chatcmpl-law",
        model=model,
        created=CLOCK_START_NS // 1_000_000_000,
        started_ns=CLOCK_START_NS - 10 * TICK_NS,
        clock_ns=lambda: next(ticks),
        include_usage=include_usage,
    )


def in_scene(response: ChatResponse, scene: Scene) -> ChatResponse:
    """The response under the identity that the scene gives it."""
    return replace(response, id=scene.id, model=scene.model, created=scene.created)


def failure_of(events: Sequence[StreamEvent]) -> RelayError | None:
    """The failure the events end with; nothing may follow it."""
    failures = [place for place, event in enumerate(events) if isinstance(event, Failed)]
    assert failures in ([], [len(events) - 1]), "a failure is the last event"
    last = events[-1] if failures else None
    return last.error if isinstance(last, Failed) else None


def comparable(events: Iterable[StreamEvent]) -> list[object]:
    """Events that can be compared: exceptions are equal when they say the same."""
    return [_spelled(event.error) if isinstance(event, Failed) else event for event in events]


def _spelled(error: RelayError) -> object:
    return type(error), error.message, error.code, error.status


def has_content(events: Iterable[StreamEvent]) -> bool:
    """Whether anything of an answer is among the events."""
    return any(isinstance(event, (PartStarted, PartDelta)) for event in events)
