"""Fakes of the embedding use case's ports: a backend that answers by rule, and a reply that remembers."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from relay.application.calls import Caller, EmbedCall
from relay.application.metering import estimated_input_tokens
from relay.application.ports import (
    EmbedAnswer,
    EmbeddingBackend,
    OriginalEmbedding,
    ReplyHead,
    UpstreamEmbedCall,
)
from relay.domain.embeddings import EmbedRequest, EmbedResponse, Vector
from relay.domain.errors import RelayError
from relay.domain.keys import KeyRecord
from relay.domain.usage import Usage

type Step = RelayError | float
"""An error to raise, or seconds to wait."""


def vector(*numbers: float) -> Vector:
    return array("d", numbers)


def ones(request: EmbedRequest) -> EmbedResponse:
    """A vector per input, told apart by its first number."""
    return EmbedResponse(
        vectors=tuple(vector(float(number), 1.0) for number in range(request.count)),
        usage=Usage(input_tokens=3 * request.count),
    )


@dataclass
class RuleExchange:
    """Gives its answer after the steps."""

    answer: EmbedAnswer
    steps: Sequence[Step] = ()
    losses: tuple[str, ...] = ()
    status: int = 200
    closed: bool = False

    async def read(self) -> EmbedAnswer:
        await _act(self.steps)
        self.closed = True
        return self.answer

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


@dataclass
class RuleBackend:
    """A provider that answers every request by `rule`; `before` happens before the head, `steps` after it."""

    rule: Callable[[EmbedRequest], EmbedResponse] = ones
    before: Sequence[Step] = ()
    steps: Sequence[Step] = ()
    losses: tuple[str, ...] = ()
    raw: bytes | None = None
    takes_tokens: bool = True
    calls: list[UpstreamEmbedCall] = field(default_factory=list)
    exchanges: list[RuleExchange] = field(default_factory=list)

    async def open(self, call: UpstreamEmbedCall) -> RuleExchange:
        self.calls.append(call)
        await _act(self.before)
        answer = EmbedAnswer(response=self.rule(call.original.request), raw=self.raw)
        exchange = RuleExchange(answer, self.steps, self.losses)
        self.exchanges.append(exchange)
        return exchange


async def _act(steps: Sequence[Step]) -> None:
    await anyio.lowlevel.checkpoint()
    for step in steps:
        if isinstance(step, RelayError):
            raise step
        await anyio.sleep(step)


@dataclass(frozen=True)
class NamedEmbeddingBackends:
    """Embedding backends by provider name."""

    backends: Mapping[str, EmbeddingBackend]

    def find_embedding(self, provider: str) -> EmbeddingBackend | None:
        return self.backends.get(provider)


@dataclass
class RecordingEmbedReply:
    """Remembers what a client would have got."""

    heads: list[ReplyHead] = field(default_factory=list)
    finished: EmbedAnswer | None = None
    begun: bool = False

    def prepare(self, head: ReplyHead) -> None:
        self.heads.append(head)

    async def finish(self, answer: EmbedAnswer) -> None:
        await anyio.lowlevel.checkpoint()
        self.begun = True
        self.finished = answer

    async def fail(self, error: RelayError) -> None:
        raise AssertionError("an answer that comes whole does not fail in-band")


def embed_call(
    name: str = "up/embed", *texts: str, key: KeyRecord | None = None, request: EmbedRequest | None = None
) -> EmbedCall:
    """A call as the inbound side makes it; of one text unless told otherwise."""
    asked = request or EmbedRequest(model=name, texts=texts or ("hello, hello",))
    return EmbedCall(
        request_id="req-1",
        original=OriginalEmbedding(dialect="openai.embeddings", body=b"{}", request=asked),
        input_tokens_estimate=estimated_input_tokens(asked),
        caller=Caller(key=key, tags=key.tags if key else ()),
    )
