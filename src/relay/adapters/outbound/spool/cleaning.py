"""Makes a record that every database can store: no control characters, no endless text, no absurd count.

What comes from clients and providers ends up in these fields. PostgreSQL refuses NUL, JSON refuses lone
surrogates, and a 64-bit column refuses what a broken provider may count: cleaned here, before the record is
written, no such row can block the books later. A clean record is returned as it is.
"""

import re
from dataclasses import replace
from operator import attrgetter

from relay.domain.ledger import AttemptEnded, AttemptStarted
from relay.domain.names import MAX_NAME_CHARACTERS
from relay.domain.resolution import Trace, TraceStep
from relay.domain.tags import Tag
from relay.domain.usage import MAX_COUNT, USAGE_CLASSES, Usage

MAX_TEXT_CHARACTERS = MAX_NAME_CHARACTERS
MAX_TAGS = 32
MAX_TRACE_STEPS = 128
MAX_LOSSES = 64
MAX_UNIX_MS = 253_402_300_799_999
"""The last millisecond of year 9999, where calendars of programs end."""

_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_texts_of_start = attrgetter(
    "id",
    "request_id",
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
_counts_of_usage = attrgetter(*USAGE_CLASSES)


def clean_started(started: AttemptStarted) -> AttemptStarted:
    """The start as it can be stored."""
    texts = [*_texts_of_start(started)]
    for tag in started.tags:
        texts += (tag.key, tag.value)
    for step in started.trace:
        texts += (step.name, step.found)
    is_clean = (
        _are_clean(texts)
        and len(started.tags) <= MAX_TAGS
        and len(started.trace) <= MAX_TRACE_STEPS
        and 0 <= started.at_ms <= MAX_UNIX_MS
        and 0 <= started.attempt <= MAX_COUNT
        and 0 <= started.input_tokens_estimate <= MAX_COUNT
    )
    return started if is_clean else _cleaned_start(started)


def clean_ended(ended: AttemptEnded) -> AttemptEnded:
    """The end as it can be stored. A negative count is no count: it is left out."""
    is_clean = (
        _are_clean([ended.id, ended.error_code, *ended.losses])
        and len(ended.losses) <= MAX_LOSSES
        and 0 <= ended.status <= MAX_COUNT
        and 0 <= ended.duration_ms <= MAX_COUNT
        and (ended.first_ms is None or 0 <= ended.first_ms <= MAX_COUNT)
        and _are_counts(_counts_of_usage(ended.usage))
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


def _are_counts(counts: tuple[int | None, ...]) -> bool:
    reported = list(filter(None, counts))  # neither what is missing nor zero can be wrong
    return not reported or (min(reported) > 0 and max(reported) <= MAX_COUNT)


def _cleaned_start(started: AttemptStarted) -> AttemptStarted:
    return replace(
        started,
        id=clean_text(started.id),
        request_id=clean_text(started.request_id),
        provider=clean_text(started.provider),
        model=clean_text(started.model),
        name_asked=clean_text(started.name_asked),
        resolved_by=clean_text(started.resolved_by),
        dialect=clean_text(started.dialect),
        virtual=clean_text(started.virtual),
        key_id=clean_text(started.key_id),
        key_name=clean_text(started.key_name),
        client=clean_text(started.client),
        attempt=_clamped(started.attempt),
        at_ms=min(_clamped(started.at_ms), MAX_UNIX_MS),
        input_tokens_estimate=_clamped(started.input_tokens_estimate),
        tags=_cleaned_tags(started.tags),
        trace=_cleaned_trace(started.trace),
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
