"""Turns domain values into rows and rows into what the use cases read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row

from relay.adapters.outbound.storage.tables import ApiKeyRow, ApiKeyTagRow
from relay.application.report_usage import UsageRow
from relay.domain.keys import KeyRecord
from relay.domain.ledger import AttemptContext, LedgerEntry
from relay.domain.resolution import Trace
from relay.domain.tags import Tag
from relay.domain.values import ByIdentity

type Values = dict[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PUSD_DIGITS = 12
KEPT_CONTEXTS = 1024
_encode = msgspec.json.Encoder().encode
_decode_tags = msgspec.json.Decoder(tuple[Tag, ...]).decode
_decode_trace = msgspec.json.Decoder(Trace).decode
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


def usage_event_values(entry: LedgerEntry) -> Values:
    """The whole row of `usage_event`. What it cost is not known yet."""
    started, ended = entry.started, entry.ended
    usage = ended.usage
    return {
        **_context_values(started.context),
        "id": started.id,
        "request_id": started.request_id,
        "at_ms": started.at_ms,
        "input_tokens_estimate": started.input_tokens_estimate,
        "outcome": ended.outcome,
        "status": ended.status,
        "error_code": ended.error_code,
        "first_ms": ended.first_ms,
        "duration_ms": ended.duration_ms,
        "usage": _text(usage.counts()),
        "usage_source": ended.usage_source,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "output_reasoning_tokens": usage.output_reasoning_tokens,
        "losses": _text(ended.losses) if ended.losses else "[]",
        "cost_pusd": None,
        "cost_state": "unknown",
    }


def _values_of_context(context: AttemptContext) -> Values:
    return {
        "attempt": context.attempt,
        "role": context.role,
        "key_id": context.key_id,
        "key_name": context.key_name,
        "tags": _text(context.tags),
        "client": context.client,
        "dialect": context.dialect,
        "name_asked": context.name_asked,
        "resolved_by": context.resolved_by,
        "virtual": context.virtual,
        "trace": _text(context.trace),
        "provider": context.provider,
        "model": context.model,
        "stream": context.stream,
    }


_context_values = ByIdentity(_values_of_context, KEPT_CONTEXTS)


def usage_event_tag_values(entry: LedgerEntry) -> list[Values]:
    """The whole rows of `usage_event_tag`."""
    return [
        {"event_id": entry.started.id, "key": tag.key, "value": tag.value, "source": tag.source}
        for tag in entry.started.context.tags
    ]


def usage_row(row: Row[Any]) -> UsageRow:
    """A row of `usage_event`, selected by column, as the reports show it."""
    values = row._mapping  # documented by SQLAlchemy: the underscore keeps it apart from columns
    return UsageRow(
        id=values["id"],
        request_id=values["request_id"],
        attempt=values["attempt"],
        role=values["role"],
        at=rfc3339(values["at_ms"]),
        key=values["key_name"] or None,
        tags=_decode_tags(values["tags"]),
        client=values["client"] or None,
        dialect=values["dialect"],
        name_asked=values["name_asked"],
        resolved_by=values["resolved_by"],
        trace=_decode_trace(values["trace"]),
        provider=values["provider"],
        model=values["model"],
        outcome=values["outcome"],
        status=values["status"],
        stream=values["stream"],
        usage=_decode_counts(values["usage"]),
        usage_source=values["usage_source"],
        cost_usd=usd(values["cost_pusd"]),
        cost_state=values["cost_state"],
        first_ms=values["first_ms"],
        duration_ms=values["duration_ms"],
        losses=_decode_texts(values["losses"]),
    )


def rfc3339(unix_ms: int) -> str:
    """A time in UTC with milliseconds, `2026-11-24T13:54:23.042Z`."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def usd(pico_usd: int | None) -> str | None:
    """An exact decimal string of dollars without needless zeros."""
    if pico_usd is None:
        return None
    whole, fraction = divmod(abs(pico_usd), 10**_PUSD_DIGITS)
    sign = "-" if pico_usd < 0 else ""
    return f"{sign}{whole}.{fraction:0{_PUSD_DIGITS}d}".rstrip("0").rstrip(".")


def key_row(record: KeyRecord) -> ApiKeyRow:
    """The row of a new key, its tags with it."""
    return ApiKeyRow(
        public_id=record.public_id,
        name=record.name,
        digest=record.digest,
        models=_text(record.models),
        created_ms=record.created_ms,
        expires_ms=record.expires_ms,
        revoked_ms=record.revoked_ms,
        is_admin=record.is_admin,
        tags=[
            ApiKeyTagRow(position=position, key=tag.key, value=tag.value)
            for position, tag in enumerate(record.tags)
        ],
    )


def key_record(row: ApiKeyRow) -> KeyRecord:
    """The key a row describes; tags bound to a key have the source `key`."""
    return KeyRecord(
        public_id=row.public_id,
        name=row.name,
        digest=row.digest,
        tags=tuple(Tag(tag.key, tag.value, "key") for tag in row.tags),
        models=_decode_texts(row.models),
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        is_admin=row.is_admin,
    )


def _text(value: object) -> str:
    return _encode(value).decode()
