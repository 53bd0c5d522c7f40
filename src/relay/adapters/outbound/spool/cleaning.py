"""Makes a record that every database can store: no control characters, no endless text, no absurd count.

What comes from clients and providers ends up in these fields. PostgreSQL refuses NUL, JSON refuses lone
surrogates, and a 64-bit column refuses what a broken provider may count: cleaned here, before the record is
written, no such row can block the books later. A clean record is returned as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter

from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted
from relay.domain.names import MAX_NAME_CHARACTERS
from relay.domain.resolution import Trace, TraceStep
from relay.domain.tags import Tag
from relay.domain.usage import MAX_COUNT, Usage

MAX_TEXT_CHARACTERS = MAX_NAME_CHARACTERS
MAX_TAGS = 32
MAX_TRACE_STEPS = 128
MAX_LOSSES = 64
MAX_UNIX_MS = 253_402_300_799_999
"""The last millisecond of year 9999, where calendars of programs end."""

_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_texts_of_context = attrgetter(
    "provider",
    "model",
    "name_asked",
    "resolved_by",
    "dialect",
    "virtual",
    "key_id",
    "key_name",
    "client",
)


def clean_context(context: AttemptContext) -> AttemptContext:
    """The context as it can be stored."""
    texts = [*_texts_of_context(context)]
    for tag in context.tags:
        texts += (tag.key, tag.value)
    for step in context.trace:
        texts += (step.name, step.found)
    is_clean = (
        _are_clean(texts)
        and len(context.tags) <= MAX_TAGS
        and len(context.trace) <= MAX_TRACE_STEPS
        and 0 <= context.attempt <= MAX_COUNT
    )
    return context if is_clean else _cleaned_context(context)


def clean_started(started: AttemptStarted, context: AttemptContext) -> AttemptStarted:
    """The start as it can be stored, with `context`, which is its own, cleaned."""
    is_clean = (
        context is started.context
        and (started.id + started.request_id).isprintable()
        and len(started.request_id) <= MAX_TEXT_CHARACTERS
        and 0 <= started.at_ms <= MAX_UNIX_MS
        and 0 <= started.input_tokens_estimate <= MAX_COUNT
    )
    return started if is_clean else _cleaned_start(started, context)


def clean_ended(ended: AttemptEnded, counts: Mapping[str, int]) -> AttemptEnded:
    """The end, whose usage has these counts, as it can be stored. A negative count is no count: it is left out."""
    has_texts = ended.error_code or ended.losses
    is_clean = (
        (_are_clean([ended.id, ended.error_code, *ended.losses]) if has_texts else ended.id.isprintable())
        and len(ended.losses) <= MAX_LOSSES
        and 0 <= ended.status <= MAX_COUNT
        and 0 <= ended.duration_ms <= MAX_COUNT
        and (ended.first_ms is None or 0 <= ended.first_ms <= MAX_COUNT)
        and (not counts or (min(counts.values()) >= 0 and max(counts.values()) <= MAX_COUNT))
    )
    return ended if is_clean else _cleaned_end(ended)


def clean_text(text: str) -> str:
    """Control characters and lone surrogates show as U+FFFD; what is over-long is cut."""
    return _UNWANTED.sub("\ufffd", text[:MAX_TEXT_CHARACTERS])


def _are_clean(texts: list[str]) -> bool:
    # `isprintable` is stricter than `_UNWANTED` and far quicker: what it refuses is looked at closely.
    together = "".join(texts)
    return together.isprintable() and (
        len(together) <= MAX_TEXT_CHARACTERS or max(map(len, texts)) <= MAX_TEXT_CHARACTERS
    )


def _cleaned_start(started: AttemptStarted, context: AttemptContext) -> AttemptStarted:
    return replace(
        started,
        id=clean_text(started.id),
        request_id=clean_text(started.request_id),
        at_ms=min(_clamped(started.at_ms), MAX_UNIX_MS),
        context=context,
        input_tokens_estimate=_clamped(started.input_tokens_estimate),
    )


def _cleaned_context(context: AttemptContext) -> AttemptContext:
    return replace(
        context,
        attempt=_clamped(context.attempt),
        provider=clean_text(context.provider),
        model=clean_text(context.model),
        name_asked=clean_text(context.name_asked),
        resolved_by=clean_text(context.resolved_by),
        dialect=clean_text(context.dialect),
        virtual=clean_text(context.virtual),
        key_id=clean_text(context.key_id),
        key_name=clean_text(context.key_name),
        client=clean_text(context.client),
        tags=_cleaned_tags(context.tags),
        trace=_cleaned_trace(context.trace),
    )


def _cleaned_tags(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    return tuple(Tag(clean_text(tag.key), clean_text(tag.value), tag.source) for tag in tags[:MAX_TAGS])


def _cleaned_trace(trace: Trace) -> Trace:
    return tuple(
        TraceStep(step=step.step, name=clean_text(step.name), found=clean_text(step.found))
        for step in trace[:MAX_TRACE_STEPS]
    )


def _cleaned_end(ended: AttemptEnded) -> AttemptEnded:
    counts = {name: min(count, MAX_COUNT) for name, count in ended.usage.counts().items() if count >= 0}
    return replace(
        ended,
        id=clean_text(ended.id),
        error_code=clean_text(ended.error_code),
        losses=tuple(clean_text(loss) for loss in ended.losses[:MAX_LOSSES]),
        status=_clamped(ended.status),
        duration_ms=_clamped(ended.duration_ms),
        first_ms=None if ended.first_ms is None else _clamped(ended.first_ms),
        usage=Usage.from_counts(counts),
    )


def _clamped(count: int) -> int:
    return min(max(count, 0), MAX_COUNT)
