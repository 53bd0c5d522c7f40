"""The canonical answer: stream events, and the whole answer that is their fold.

Order of one answer: `Started`; then per part `PartStarted`, its deltas, `PartEnded`; `Finished` once per
choice, after its parts; `UsageReported` any number of times anywhere (cumulative, the last one wins). `Failed`
ends a stream that went wrong. Part indexes are ours: unique within one choice, and their order is that of the
parts in the whole answer, so that a part which comes late can still go before others. Hence parts may be open
side by side, and the indexes may have gaps.
"""

from typing import Literal

from relay.domain.chat import Citation, DialectName, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.errors import RelayError
from relay.domain.usage import Usage
from relay.domain.values import value

type FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "pause"]
"""`pause`: the provider's own tools want another turn, and the answer is to be sent back as it is."""
type PartKind = Literal["text", "thinking", "tool_call", "refusal"]
type AnswerPart = Text | Thinking | ToolCall | Refusal | Opaque


@value
class Started:
    """The provider has begun. `created` is in unix seconds; 0 or an empty text means it did not say."""

    id: str = ""
    model: str = ""
    created: int = 0


@value
class PartStarted:
    """A part begins; `name` and `freeform` only for tool calls, `origin` only for thinking.

    `call_id` is that of a tool call, or the provider's id of thinking.
    """

    index: int
    kind: PartKind
    call_id: str = ""
    name: str = ""
    choice: int = 0
    origin: DialectName | None = None
    freeform: bool = False


@value
class PartDelta:
    """More text of an open part: visible text, thinking, refusal, or a fragment of a call's arguments."""

    index: int
    text: str
    choice: int = 0


@value
class SignatureDelta:
    """More of the seal of an open part: its signature, or thinking that is `sealed` and not shown.

    Texts and tool calls have signatures too (Gemini's).
    """

    index: int
    text: str
    choice: int = 0
    kind: Literal["signature", "sealed"] = "signature"


@value
class PartEnded:
    """A part is complete; only a text has citations, and only its end knows them all."""

    index: int
    choice: int = 0
    citations: tuple[Citation, ...] = ()


@value
class OpaqueReported:
    """A complete part that one dialect alone has a word for, at its place among the parts."""

    index: int
    part: Opaque
    choice: int = 0


@value
class TokenAlternative:
    """One candidate token; `bytes` is empty when the provider did not say."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()


@value
class TokenLogprob:
    """The drawn token with its nearest rivals."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()
    top: tuple[TokenAlternative, ...] = ()


@value
class LogprobsReported:
    """Log probabilities of text tokens, to be appended to the choice's list."""

    tokens: tuple[TokenLogprob, ...]
    choice: int = 0


@value
class UsageReported:
    """Counts so far; a later report overrides an earlier one count by count."""

    usage: Usage


@value
class Finished:
    """A choice is complete. `raw_reason` is the provider's own word, for the record only."""

    reason: FinishReason
    raw_reason: str = ""
    choice: int = 0


@value
class Failed:
    """The stream went wrong; nothing follows."""

    error: RelayError


type StreamEvent = (
    Started
    | PartStarted
    | PartDelta
    | SignatureDelta
    | PartEnded
    | OpaqueReported
    | LogprobsReported
    | UsageReported
    | Finished
    | Failed
)


@value
class Choice:
    """One alternative answer."""

    parts: tuple[AnswerPart, ...]
    finish: FinishReason
    raw_finish: str = ""
    index: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@value
class ChatResponse:
    """A whole answer: the fold of its events. `usage` is `None` when the provider reported none."""

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None


__all__ = [
    "AnswerPart",
    "ChatResponse",
    "Choice",
    "Failed",
    "FinishReason",
    "Finished",
    "LogprobsReported",
    "OpaqueReported",
    "PartDelta",
    "PartEnded",
    "PartKind",
    "PartStarted",
    "SignatureDelta",
    "Started",
    "StreamEvent",
    "TokenAlternative",
    "TokenLogprob",
    "UsageReported",
]
