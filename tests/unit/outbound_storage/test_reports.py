"""What was settled is read back exactly, in pages, by filters and in sums."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.mapping import rfc3339, usd
from relay.adapters.outbound.storage.reports import SqlUsageReports
from relay.adapters.outbound.storage.usage_store import SqlUsageStore
from relay.application.report_usage import MAX_LIMIT, ModelTotals, ReportUsage, RequestsQuery
from relay.domain.errors import InvalidRequest
from relay.domain.ledger import LedgerEntry, interrupted
from relay.domain.usage import MAX_COUNT, USAGE_CLASSES, Usage
from tests.support.records import AT_MS, ended, entry, event_id, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(database: Database) -> SqlUsageStore:
    return SqlUsageStore(database)


@pytest.fixture
def report(database: Database) -> ReportUsage:
    return ReportUsage(SqlUsageReports(database.reader))


def attempt(number: int, /, start: dict[str, Any], end: dict[str, Any]) -> LedgerEntry:
    return LedgerEntry(started=started(number, **start), ended=ended(number, **end))


async def test_a_row_is_the_stable_surface_to_the_letter(store: SqlUsageStore, report: ReportUsage) -> None:
    await store.settle([entry(1)])
    (row,) = (await report.requests(RequestsQuery())).items
    assert msgspec.to_builtins(row) == {
        "id": event_id(1),
        "request_id": "request-1",
        "attempt": 1,
        "role": "main",
        "at": "2026-09-21T14:13:20.001Z",
        "key": "web",
        "tags": (
            {"key": "team", "value": "web", "source": "key"},
            {"key": "tag", "value": "büro", "source": "header"},
        ),
        "client": "127.0.0.1",
        "dialect": "openai.chat",
        "name_asked": "mini",
        "resolved_by": "alias",
        "trace": (
            {"step": "redirect", "name": "mini", "found": ""},
            {"step": "alias", "name": "mini", "found": "openai/gpt-5-mini"},
        ),
        "provider": "openai",
        "model": "gpt-5-mini",
        "outcome": "ok",
        "status": 200,
        "stream": True,
        "usage": {"input_tokens": 10, "output_tokens": 20, "output_reasoning_tokens": 5},
        "usage_source": "reported",
        "cost_usd": None,
        "cost_state": "unknown",
        "first_ms": 80,
        "duration_ms": 1200,
        "losses": ("seed",),
    }


async def test_what_was_not_there_is_null_and_zero_is_zero(store: SqlUsageStore, report: ReportUsage) -> None:
    bare = attempt(
        1,
        {"key_id": "", "key_name": "", "client": "", "tags": (), "trace": (), "stream": False},
        {
            "first_ms": None,
            "status": 0,
            "losses": (),
            "usage": Usage(input_tokens=0),
            "usage_source": "estimated",
        },
    )
    await store.settle([bare])
    (row,) = (await report.requests(RequestsQuery())).items
    assert (row.key, row.client, row.tags, row.trace, row.stream) == (None, None, (), (), False)
    assert (row.first_ms, row.status, row.losses) == (None, 0, ())
    assert (row.usage, row.usage_source) == ({"input_tokens": 0}, "estimated")


async def test_every_class_of_usage_is_kept(store: SqlUsageStore, report: ReportUsage) -> None:
    counts = {name: MAX_COUNT - number for number, name in enumerate(USAGE_CLASSES)}
    await store.settle([entry(1, usage=Usage.from_counts(counts))])
    (row,) = (await report.requests(RequestsQuery())).items
    assert row.usage == counts


async def test_an_interrupted_attempt_is_a_row_with_its_estimate(
    store: SqlUsageStore, report: ReportUsage
) -> None:
    await store.settle([interrupted(started(1))])
    (row,) = (await report.requests(RequestsQuery())).items
    assert (row.outcome, row.usage, row.usage_source) == ("interrupted", {"input_tokens": 12}, "estimated")


async def test_pages_are_newest_first_and_meet_without_gap_or_overlap(
    store: SqlUsageStore, report: ReportUsage
) -> None:
    await store.settle([entry(number) for number in range(1, 26)])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await report.requests(RequestsQuery(limit=10, before=cursor))
        seen += [row.id for row in page.items]
        cursor = page.next
    assert seen == [event_id(number) for number in range(25, 0, -1)]


async def test_a_page_that_fits_exactly_has_no_next(store: SqlUsageStore, report: ReportUsage) -> None:
    await store.settle([entry(number) for number in range(1, 11)])
    assert (await report.requests(RequestsQuery(limit=10))).next is None
    assert (await report.requests(RequestsQuery(limit=9))).next == event_id(2)


async def test_rows_that_come_while_paging_do_not_shift_the_pages(
    store: SqlUsageStore, report: ReportUsage
) -> None:
    await store.settle([entry(number) for number in range(1, 6)])
    first = await report.requests(RequestsQuery(limit=2))
    await store.settle([entry(6), entry(7)])
    second = await report.requests(RequestsQuery(limit=2, before=first.next or ""))
    assert [row.id for row in second.items] == [event_id(3), event_id(2)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (RequestsQuery(), [4, 3, 2, 1]),
        (RequestsQuery(provider="groq"), [2]),
        (RequestsQuery(model="gpt-5-mini"), [4, 3, 1]),
        (RequestsQuery(key="ops"), [3]),
        (RequestsQuery(request_id="request-4"), [4]),
        (RequestsQuery(failed=True), [4, 2]),
        (RequestsQuery(failed=True, provider="groq"), [2]),
        (RequestsQuery(since_ms=AT_MS + 3), [4, 3]),
        (RequestsQuery(provider="nobody"), []),
        (RequestsQuery(provider="%"), []),
        (RequestsQuery(model="x' OR '1'='1"), []),
    ],
)
async def test_filters_narrow_the_rows(
    store: SqlUsageStore, report: ReportUsage, query: RequestsQuery, numbers: list[int]
) -> None:
    await store.settle(
        [
            entry(1),
            attempt(2, {"provider": "groq", "model": "llama"}, {"outcome": "error"}),
            attempt(3, {"key_name": "ops"}, {"outcome": "cancelled"}),
            entry(4, outcome="ambiguous"),
        ]
    )
    assert [row.id for row in (await report.requests(query)).items] == [event_id(n) for n in numbers]


async def test_totals_count_requests_once_and_say_what_is_not_known(
    store: SqlUsageStore, report: ReportUsage
) -> None:
    await store.settle(
        [
            entry(1),
            attempt(2, {"request_id": "request-1", "attempt": 2}, {"outcome": "error", "usage": Usage()}),
            entry(3, usage=Usage(output_tokens=7)),
            attempt(4, {"provider": "groq", "model": "llama"}, {"usage": Usage(), "outcome": "cancelled"}),
        ]
    )
    assert await report.totals() == (
        ModelTotals(
            provider="openai",
            model="gpt-5-mini",
            requests=2,
            attempts=3,
            errors=1,
            input_tokens=10,
            output_tokens=27,
            unreported=1,
        ),
        ModelTotals(
            provider="groq",
            model="llama",
            requests=1,
            attempts=1,
            errors=0,
            input_tokens=None,
            output_tokens=None,
            unreported=1,
        ),
    )
    assert [total.model for total in await report.totals(AT_MS + 4)] == ["llama"]


async def test_an_empty_book_has_no_rows_and_no_totals(report: ReportUsage) -> None:
    page = await report.requests(RequestsQuery())
    assert (page.items, page.next) == ((), None)
    assert await report.totals() == ()


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_range_is_refused(report: ReportUsage, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 1000"):
        await report.requests(RequestsQuery(limit=limit))


@pytest.mark.parametrize("cursor", ["yesterday", event_id(1)[:-1] + "g", event_id(1) + "\n", "x" * 36])
async def test_a_cursor_that_is_none_is_refused(report: ReportUsage, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="next of an earlier page"):
        await report.requests(RequestsQuery(before=cursor))


@pytest.mark.parametrize("since_ms", [-1, 2**63])
async def test_a_time_out_of_range_is_refused(report: ReportUsage, since_ms: int) -> None:
    with pytest.raises(InvalidRequest, match="not a time"):
        await report.requests(RequestsQuery(since_ms=since_ms))
    with pytest.raises(InvalidRequest, match="not a time"):
        await report.totals(since_ms)


async def test_the_same_entry_settled_again_has_its_tags_once(
    store: SqlUsageStore, report: ReportUsage
) -> None:
    for _ in range(3):
        await store.settle([entry(1), replace(entry(2), started=started(2, tags=()))])
    rows = (await report.requests(RequestsQuery())).items
    assert [len(row.tags) for row in rows] == [0, 2]


@pytest.mark.parametrize(
    ("unix_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_790_000_000_042, "2026-09-21T14:13:20.042Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_rfc_3339_in_utc_with_milliseconds(unix_ms: int, text: str) -> None:
    assert rfc3339(unix_ms) == text


@pytest.mark.parametrize(
    ("pico_usd", "text"),
    [
        (None, None),
        (0, "0"),
        (1, "0.000000000001"),
        (7_500_000_000, "0.0075"),
        (10**12, "1"),
        (1_000_000_000_000_001, "1000.000000000001"),
        (-1_500_000_000_000, "-1.5"),
    ],
)
def test_amounts_are_exact_decimal_strings(pico_usd: int | None, text: str | None) -> None:
    assert usd(pico_usd) == text
