"""What any client or provider may say becomes something every database can store."""

import pytest

from relay.adapters.outbound.spool.cleaning import (
    MAX_LOSSES,
    MAX_TAGS,
    MAX_TEXT_CHARACTERS,
    MAX_TRACE_STEPS,
    MAX_UNIX_MS,
)
from relay.adapters.outbound.spool.segment import MAX_PAYLOAD_BYTES, encode
from relay.domain.resolution import TraceStep
from relay.domain.tags import Tag
from relay.domain.usage import MAX_COUNT, Usage
from tests.support.records import end_cleaned, ended, start_cleaned, started


def test_a_clean_record_is_left_as_it_is() -> None:
    start, end = started(), ended()
    assert start_cleaned(start) is start
    assert end_cleaned(end) is end


def test_unusual_but_harmless_text_is_left_as_it_is() -> None:
    name = "модель\u00a0名前\u200b 🦙 \u2028"
    assert start_cleaned(started(name_asked=name)).context.name_asked == name


@pytest.mark.parametrize("unwanted", ["\x00", "\n", "\x1b", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize(
    "field", ["name_asked", "model", "provider", "client", "key_name", "virtual", "request_id"]
)
def test_control_characters_and_surrogates_show_as_replaced(field: str, unwanted: str) -> None:
    cleaned = start_cleaned(started(**{field: f"a{unwanted}b"}))
    assert getattr(cleaned if field == "request_id" else cleaned.context, field) == "a\ufffdb"


def test_tags_and_trace_are_cleaned_too() -> None:
    cleaned = start_cleaned(
        started(
            tags=(Tag("te\x00am", "w\neb", "header"),),
            trace=(TraceStep(step="alias", name="a\x00", found="b\x00"),),
        )
    )
    assert cleaned.context.tags == (Tag("te\ufffdam", "w\ufffdeb", "header"),)
    assert cleaned.context.trace == (TraceStep(step="alias", name="a\ufffd", found="b\ufffd"),)


def test_what_is_over_long_is_cut() -> None:
    cleaned = start_cleaned(started(model="x" * 1_000_000))
    assert cleaned.context.model == "x" * MAX_TEXT_CHARACTERS
    assert end_cleaned(ended(losses=("y" * 2000,))).losses == ("y" * MAX_TEXT_CHARACTERS,)


def test_many_texts_of_decent_length_are_not_cut() -> None:
    start = started(model="m" * 300, name_asked="n" * 300)
    assert start_cleaned(start) is start


def test_the_largest_record_there_can_be_fits_into_a_frame() -> None:
    wide = "\U0001f999" * 2000
    fields = ("id", "request_id", "provider", "model", "name_asked", "resolved_by", "dialect", "virtual")
    start = start_cleaned(
        started(
            **dict.fromkeys((*fields, "key_id", "key_name", "client"), wide),
            tags=(Tag(wide, wide, "header"),) * 1000,
            trace=(TraceStep(step="redirect", name=wide, found=wide),) * 1000,
        )
    )
    assert len(start.context.tags) == MAX_TAGS
    assert len(start.context.trace) == MAX_TRACE_STEPS
    assert len(encode(start)) < MAX_PAYLOAD_BYTES
    assert len(end_cleaned(ended(losses=("x",) * 1000)).losses) == MAX_LOSSES


def test_absurd_counts_are_clamped_and_negative_ones_left_out() -> None:
    usage = Usage(input_tokens=2**63, output_tokens=-5, requests=0, images=7)
    cleaned = end_cleaned(ended(usage=usage, status=-1, duration_ms=2**70, first_ms=-3))
    assert cleaned.usage == Usage(input_tokens=MAX_COUNT, requests=0, images=7)
    assert (cleaned.status, cleaned.duration_ms, cleaned.first_ms) == (0, MAX_COUNT, 0)


def test_an_attempt_without_content_has_no_first_content_after_cleaning_either() -> None:
    assert end_cleaned(ended(first_ms=None, status=-1)).first_ms is None


def test_a_time_beyond_all_calendars_is_brought_back() -> None:
    cleaned = start_cleaned(started(at_ms=2**62, attempt=-1, input_tokens_estimate=2**62))
    assert (cleaned.at_ms, cleaned.context.attempt, cleaned.input_tokens_estimate) == (
        MAX_UNIX_MS,
        0,
        MAX_COUNT,
    )
