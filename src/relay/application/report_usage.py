"""What the books say: single attempts, newest first, and sums by model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from relay.domain.errors import InvalidRequest
from relay.domain.ledger import AttemptRole, Outcome
from relay.domain.resolution import Trace
from relay.domain.tags import Tag
from relay.domain.usage import MAX_COUNT, UsageSource

type CostState = Literal["computed", "reported", "partial", "unknown", "configured_free"]

FAILED_OUTCOMES: tuple[Outcome, ...] = ("error", "interrupted", "ambiguous")
"""A cancelled attempt is not a failure: its caller wanted no more."""
MAX_LIMIT = 1000

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One attempt as other programs read it; the names are a stable surface.

    `at` is RFC 3339 in UTC with milliseconds. `key` and `client` are `None` when there was none, `cost_usd` is a
    decimal string or `None` when unknown, `first_ms` is `None` when no content came. `usage` holds the
    reported classes only, by the names of the usage vector.
    """

    id: str
    request_id: str
    attempt: int
    role: AttemptRole
    at: str
    key: str | None
    tags: tuple[Tag, ...]
    client: str | None
    dialect: str
    name_asked: str
    resolved_by: str
    trace: Trace
    provider: str
    model: str
    outcome: Outcome
    status: int
    stream: bool
    usage: Mapping[str, int]
    usage_source: UsageSource
    cost_usd: str | None
    cost_state: CostState
    first_ms: int | None
    duration_ms: int
    losses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsQuery:
    """Which attempts: an empty text means any. `before` is the `next` of the page before.

    `since_ms` is unix milliseconds, `key` a key's name, `failed` only what ended badly.
    """

    limit: int = 50
    before: str = ""
    since_ms: int = 0
    request_id: str = ""
    key: str = ""
    provider: str = ""
    model: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsPage:
    """Some attempts, newest first, and the cursor of those that follow, if any do."""

    items: tuple[UsageRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTotals:
    """Sums over the attempts of one model, designator calls and failures included.

    `requests` counts client requests, each once however many attempts it took. A sum of tokens is `None` when no
    attempt reported any; `unreported` counts the attempts whose usage is not known, so that a sum over
    the others is not taken for the whole.
    """

    provider: str
    model: str
    requests: int
    attempts: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    unreported: int


class UsageReports(Protocol):
    """The books' reading side. Raises `StoreUnavailable`."""

    async def requests(self, query: RequestsQuery) -> RequestsPage:
        """One page."""
        ...

    async def totals(self, since_ms: int) -> tuple[ModelTotals, ...]:
        """By provider and model, those with most attempts first."""
        ...


@dataclass(frozen=True, slots=True)
class ReportUsage:
    """The use case: checks what a caller may ask, then asks the books."""

    reports: UsageReports

    async def requests(self, query: RequestsQuery) -> RequestsPage:
        """One page. Raises `InvalidRequest` for a limit or time out of range, or a cursor that is none."""
        if not 1 <= query.limit <= MAX_LIMIT:
            raise InvalidRequest(f"limit must be from 1 to {MAX_LIMIT}", param="limit")
        if query.before and _ID.fullmatch(query.before) is None:
            raise InvalidRequest("before must be the next of an earlier page", param="before")
        _check_time(query.since_ms)
        return await self.reports.requests(query)

    async def totals(self, since_ms: int = 0) -> tuple[ModelTotals, ...]:
        """Sums by model of what began at `since_ms` (unix milliseconds) or later. Raises `InvalidRequest`."""
        _check_time(since_ms)
        return await self.reports.totals(since_ms)


def _check_time(since_ms: int) -> None:
    if not 0 <= since_ms <= MAX_COUNT:
        raise InvalidRequest("since is not a time", param="since")
