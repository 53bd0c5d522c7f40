"""Usage reports and the inclusive vector."""

from typing import Any

import pytest

from relay.adapters.dialects.openai_chat.usage import surviving, usage_in, written
from relay.domain.usage import MAX_COUNT, Usage


@pytest.mark.parametrize(
    ("report", "usage"),
    [
        (
            {
                "prompt_tokens": 20,
                "completion_tokens": 10,
                "total_tokens": 30,
                "prompt_tokens_details": {
                    "cached_tokens": 8,
                    "cache_write_tokens": 4,
                    "audio_tokens": 1,
                    "image_tokens": 2,
                    "video_tokens": 3,
                },
                "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 1, "image_tokens": 2},
            },
            Usage(
                input_tokens=20,
                cache_read_tokens=8,
                cache_write_tokens=4,
                input_audio_tokens=1,
                input_image_tokens=2,
                input_video_tokens=3,
                output_tokens=10,
                output_reasoning_tokens=6,
                output_audio_tokens=1,
                output_image_tokens=2,
            ),
        ),
        # xAI leaves reasoning out of the completion, not out of the total.
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 1,
                "total_tokens": 303,
                "completion_tokens_details": {"reasoning_tokens": 290},
            },
            Usage(input_tokens=12, output_tokens=291, output_reasoning_tokens=290),
        ),
        # Google's compatible endpoint does not even tell it.
        (
            {"prompt_tokens": 66, "completion_tokens": 6, "total_tokens": 100},
            Usage(input_tokens=66, output_tokens=34, output_reasoning_tokens=28),
        ),
        # OpenRouter was seen to think more than it put out.
        (
            {
                "prompt_tokens": 43,
                "completion_tokens": 10,
                "total_tokens": 53,
                "completion_tokens_details": {"reasoning_tokens": 11},
            },
            Usage(input_tokens=43, output_tokens=10, output_reasoning_tokens=10),
        ),
        # DeepSeek, Together, Mistral: the cached count stands elsewhere.
        (
            {"prompt_tokens": 9, "prompt_cache_hit_tokens": 5, "prompt_cache_miss_tokens": 4},
            Usage(input_tokens=9, cache_read_tokens=5),
        ),
        ({"prompt_tokens": 9, "cached_tokens": 5}, Usage(input_tokens=9, cache_read_tokens=5)),
        (
            {"prompt_tokens": 9, "num_cached_tokens": 5, "prompt_tokens_details": None},
            Usage(input_tokens=9, cache_read_tokens=5),
        ),
        (
            {"prompt_tokens": 9, "server_tool_use_details": {"web_search_requests": 2}},
            Usage(input_tokens=9, web_searches=2),
        ),
        ({"prompt_tokens": 3, "total_tokens": 5}, Usage(input_tokens=3, output_tokens=2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(input_tokens=0, output_tokens=0)),
        ({"prompt_tokens": 3.0, "completion_tokens": 1.5}, Usage(input_tokens=3)),
        ({"prompt_tokens": -3, "completion_tokens": 2}, Usage(output_tokens=2)),
        ({"prompt_tokens": "3", "completion_tokens": True, "total_tokens": MAX_COUNT + 1}, None),
        ({"prompt_tokens": None, "completion_tokens": float("inf")}, None),
        ({"prompt_tokens_details": [], "completion_tokens": 1}, Usage(output_tokens=1)),
        (
            {"total_tokens": 2, "prompt_tokens": 3, "completion_tokens": 1},
            Usage(input_tokens=3, output_tokens=1),
        ),
        ([], None),
        (None, None),
    ],
)
def test_a_report_counts(report: Any, usage: Usage | None) -> None:
    assert usage_in(report) == usage


def test_the_three_totals_are_always_numbers_that_add_up() -> None:
    report = written(Usage(output_tokens=5))
    assert (report.prompt_tokens, report.completion_tokens, report.total_tokens) == (0, 5, 5)
    assert report.prompt_tokens_details is None
    assert report.completion_tokens_details is None


def test_what_was_reported_as_zero_is_written_as_zero() -> None:
    report = written(Usage(input_tokens=1, cache_read_tokens=0, output_tokens=1, output_reasoning_tokens=0))
    assert report.prompt_tokens_details is not None
    assert report.prompt_tokens_details.cached_tokens == 0
    assert report.completion_tokens_details is not None
    assert report.completion_tokens_details.reasoning_tokens == 0


def test_counters_without_a_place_do_not_survive() -> None:
    usage = Usage(
        input_tokens=1, output_tokens=1, web_searches=3, cache_write_1h_tokens=1, output_citation_tokens=1
    )
    assert surviving(usage) == Usage(input_tokens=1, output_tokens=1)
