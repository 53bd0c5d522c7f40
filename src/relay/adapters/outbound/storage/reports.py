"""The SQL behind the reports."""

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from relay.adapters.outbound.storage.engine import in_transaction
from relay.adapters.outbound.storage.mapping import usage_row
from relay.adapters.outbound.storage.tables import UsageEventRow
from relay.application.report_usage import FAILED_OUTCOMES, ModelTotals, RequestsPage, RequestsQuery

_failed = UsageEventRow.outcome.in_(FAILED_OUTCOMES)


class SqlUsageReports:
    """Implements `application.report_usage.UsageReports` over a reading engine."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def requests(self, query: RequestsQuery) -> RequestsPage:
        """See `UsageReports.requests`."""
        # One row more than asked for tells whether a page follows.
        statement = (
            select(*UsageEventRow.__table__.columns)
            .where(*_conditions(query))
            .order_by(UsageEventRow.id.desc())
            .limit(query.limit + 1)
        )
        async with in_transaction(self._reader) as session:
            rows = (await session.execute(statement)).all()
        items = tuple(usage_row(row) for row in rows[: query.limit])
        return RequestsPage(items=items, next=items[-1].id if len(rows) > query.limit else None)

    async def totals(self, since_ms: int) -> tuple[ModelTotals, ...]:
        """See `UsageReports.totals`."""
        row = UsageEventRow
        attempts = func.count()
        is_unreported = row.input_tokens.is_(None) & row.output_tokens.is_(None)
        statement = (
            select(
                row.provider,
                row.model,
                func.count(row.request_id.distinct()),
                attempts,
                func.sum(case((_failed, 1), else_=0)),
                func.sum(row.input_tokens),
                func.sum(row.output_tokens),
                func.sum(case((is_unreported, 1), else_=0)),
            )
            .where(row.at_ms >= since_ms)
            .group_by(row.provider, row.model)
            .order_by(attempts.desc(), row.provider, row.model)
        )
        async with in_transaction(self._reader) as session:
            found = (await session.execute(statement)).all()
        return tuple(
            ModelTotals(
                provider=provider,
                model=model,
                requests=requests,
                attempts=count,
                errors=int(errors),
                input_tokens=_whole(input_tokens),
                output_tokens=_whole(output_tokens),
                unreported=int(unreported),
            )
            for provider, model, requests, count, errors, input_tokens, output_tokens, unreported in found
        )


def _conditions(query: RequestsQuery) -> list[ColumnElement[bool]]:
    row = UsageEventRow
    wanted = (
        (row.request_id, query.request_id),
        (row.key_name, query.key),
        (row.provider, query.provider),
        (row.model, query.model),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in wanted if value]
    if query.before:
        conditions.append(row.id < query.before)
    if query.since_ms:
        conditions.append(row.at_ms >= query.since_ms)
    if query.failed:
        conditions.append(_failed)
    return conditions


def _whole(total: int | None) -> int | None:
    """PostgreSQL sums 64-bit columns to numeric."""
    return None if total is None else int(total)
