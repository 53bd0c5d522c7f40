"""Short ways to spell ledger records in tests."""

from dataclasses import fields as dataclass_fields
from typing import Any

from relay.adapters.outbound.spool.cleaning import clean_context, clean_ended, clean_started
from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted, LedgerEntry
from relay.domain.resolution import TraceStep
from relay.domain.tags import Tag
from relay.domain.usage import Usage

AT_MS = 1_790_000_000_000


def event_id(number: int) -> str:
    """The id of the n-th attempt of a test: ids sort as their numbers do."""
    return f"01a20de7-0000-7000-8000-{number:012x}"


_OF_CONTEXT = tuple(field.name for field in dataclass_fields(AttemptContext))


def started(number: int = 1, /, **changes: Any) -> AttemptStarted:
    """The start of attempt `number`, every field filled in."""
    fields: dict[str, Any] = {
        "id": event_id(number),
        "request_id": f"request-{number}",
        "attempt": 1,
        "at_ms": AT_MS + number,
        "provider": "openai",
        "model": "gpt-5-mini",
        "name_asked": "mini",
        "resolved_by": "alias",
        "dialect": "openai.chat",
        "stream": True,
        "virtual": "mini",
        "trace": (
            TraceStep(step="redirect", name="mini"),
            TraceStep(step="alias", name="mini", found="openai/gpt-5-mini"),
        ),
        "key_id": "abcdefghijkl",
        "key_name": "web",
        "tags": (Tag("team", "web", "key"), Tag("tag", "büro", "header")),
        "client": "127.0.0.1",
        "input_tokens_estimate": 12,
    }
    fields |= changes
    context = AttemptContext(**{name: fields.pop(name) for name in _OF_CONTEXT if name in fields})
    return AttemptStarted(context=context, **fields)


def ended(number: int = 1, /, **changes: Any) -> AttemptEnded:
    """The end of attempt `number`, every field filled in."""
    fields: dict[str, Any] = {
        "id": event_id(number),
        "outcome": "ok",
        "status": 200,
        "duration_ms": 1200,
        "first_ms": 80,
        "usage": Usage(input_tokens=10, output_tokens=20, output_reasoning_tokens=5),
        "usage_source": "reported",
        "error_code": "",
        "losses": ("seed",),
    }
    return AttemptEnded(**(fields | changes))


def entry(number: int = 1, /, **changes: Any) -> LedgerEntry:
    """A settled attempt; `changes` are of its end."""
    return LedgerEntry(started=started(number), ended=ended(number, **changes))


def start_cleaned(start: AttemptStarted) -> AttemptStarted:
    """As the spool writes it."""
    return clean_started(start, clean_context(start.context))


def end_cleaned(end: AttemptEnded) -> AttemptEnded:
    """As the spool writes it."""
    return clean_ended(end, end.usage.counts())
