"""The ledger's records: one per attempt, written as a start and an end.

Invariant: every upstream attempt has exactly one entry, whatever happens afterwards. A start without an end
is an attempt that a crash interrupted; it becomes an entry with outcome `interrupted`.
"""

from typing import Literal

from relay.domain.resolution import Trace
from relay.domain.tags import Tag
from relay.domain.usage import Usage, UsageSource
from relay.domain.values import value

type Outcome = Literal["ok", "error", "cancelled", "interrupted", "ambiguous"]
type AttemptRole = Literal["main", "designator"]


@value
class AttemptContext:
    """What is the same for all attempts that one caller's calls by one name make at one target.

    `key_id` and `key_name` are empty for a caller without a key, `client` is the caller's address. `attempt` counts
    the attempts of a call from 1.
    """

    attempt: int
    provider: str
    model: str
    name_asked: str
    resolved_by: str
    dialect: str
    stream: bool
    role: AttemptRole = "main"
    virtual: str = ""
    trace: Trace = ()
    key_id: str = ""
    key_name: str = ""
    tags: tuple[Tag, ...] = ()
    client: str = ""


@value
class AttemptStarted:
    """Written before the provider is called.

    `id` is a UUIDv7 of the relay's own. `at_ms` is unix milliseconds. `input_tokens_estimate` counts for the row
    when the provider never reports.
    """

    id: str
    request_id: str
    at_ms: int
    context: AttemptContext
    input_tokens_estimate: int = 0


@value
class AttemptEnded:
    """Written before the last byte leaves. Times are milliseconds from the attempt's start.

    `status` is the HTTP status the provider answered with, 0 when it never did. `first_ms` is `None` when no
    content came.
    """

    id: str
    outcome: Outcome
    status: int
    duration_ms: int
    first_ms: int | None = None
    usage: Usage = Usage()
    usage_source: UsageSource = "none"
    error_code: str = ""
    losses: tuple[str, ...] = ()


@value
class LedgerEntry:
    """A settled attempt: its start with its end."""

    started: AttemptStarted
    ended: AttemptEnded


def interrupted(started: AttemptStarted) -> LedgerEntry:
    """The entry of an attempt whose end was never written: the relay died under it.

    How long it ran and what it produced is not known; the input estimate is all there is.
    """
    usage = Usage(input_tokens=started.input_tokens_estimate) if started.input_tokens_estimate else Usage()
    return LedgerEntry(
        started=started,
        ended=AttemptEnded(
            id=started.id,
            outcome="interrupted",
            status=0,
            duration_ms=0,
            usage=usage,
            usage_source="estimated" if started.input_tokens_estimate else "none",
            error_code="relay_stopped",
        ),
    )
