"""Usage between the wire's reports and the inclusive vector.

Where compatible servers differ is told in their references: DeepSeek counts cache hits beside the details,
Together and Mistral put the cached count at the top, xAI and Google's compatible endpoint leave reasoning out
of `completion_tokens` but not out of `total_tokens`, OpenRouter counts web searches.
"""

from collections.abc import Mapping

from relay.adapters.dialects.openai_chat import wire
from relay.domain.usage import MAX_COUNT, Usage

_NOTHING: Mapping[str, object] = {}
_NO_USAGE = Usage()
_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_in(report: object) -> Usage | None:
    """The vector of one report; `None` when it counts nothing. Counts that cannot be true are left out."""
    if not isinstance(report, dict):
        return None
    if len(report) == len(_TOTALS) and (plain := _plain(report)) is not None:
        return plain
    prompt = _mapping(report.get("prompt_tokens_details"))
    completion = _mapping(report.get("completion_tokens_details"))
    usage = Usage(
        input_tokens=_count(report, "prompt_tokens"),
        cache_read_tokens=_first(
            _count(prompt, "cached_tokens"),
            _count(report, "prompt_cache_hit_tokens"),
            _count(report, "cached_tokens"),
            _count(report, "num_cached_tokens"),
        ),
        cache_write_tokens=_count(prompt, "cache_write_tokens"),
        input_audio_tokens=_count(prompt, "audio_tokens"),
        input_image_tokens=_count(prompt, "image_tokens"),
        input_video_tokens=_count(prompt, "video_tokens"),
        output_tokens=_count(report, "completion_tokens"),
        output_reasoning_tokens=_first(
            _count(completion, "reasoning_tokens"), _count(report, "reasoning_tokens")
        ),
        output_audio_tokens=_count(completion, "audio_tokens"),
        output_image_tokens=_count(completion, "image_tokens"),
        web_searches=_count(_mapping(report.get("server_tool_use_details")), "web_search_requests"),
    )
    balanced = _balanced(usage, _count(report, "total_tokens"))
    is_empty = balanced.input_tokens is None and balanced == _NO_USAGE
    return None if is_empty else balanced


def _plain(report: Mapping[str, object]) -> Usage | None:
    """The vector of a report of nothing but totals that agree; `None` for any other."""
    sent, made, total = map(report.get, _TOTALS)
    if not (type(sent) is type(made) is int and 0 <= sent <= MAX_COUNT and 0 <= made <= MAX_COUNT):
        return None
    return Usage(input_tokens=sent, output_tokens=made) if total == sent + made else None


def written(usage: Usage) -> wire.Usage:
    """The report of a vector. The three totals are always numbers, so an unreported one reads 0."""
    prompt = wire.PromptTokensDetails(
        cached_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        audio_tokens=usage.input_audio_tokens,
        image_tokens=usage.input_image_tokens,
        video_tokens=usage.input_video_tokens,
    )
    completion = wire.CompletionTokensDetails(
        reasoning_tokens=usage.output_reasoning_tokens,
        audio_tokens=usage.output_audio_tokens,
        image_tokens=usage.output_image_tokens,
    )
    return wire.Usage(
        prompt_tokens=usage.input_tokens or 0,
        completion_tokens=usage.output_tokens or 0,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=None if prompt == wire.PromptTokensDetails() else prompt,
        completion_tokens_details=None if completion == wire.CompletionTokensDetails() else completion,
    )


def surviving(usage: Usage) -> Usage:
    """What a vector keeps on its way through a report."""
    return _balanced(
        Usage(
            input_tokens=usage.input_tokens or 0,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            input_audio_tokens=usage.input_audio_tokens,
            input_image_tokens=usage.input_image_tokens,
            input_video_tokens=usage.input_video_tokens,
            output_tokens=usage.output_tokens or 0,
            output_reasoning_tokens=usage.output_reasoning_tokens,
            output_audio_tokens=usage.output_audio_tokens,
            output_image_tokens=usage.output_image_tokens,
        ),
        None,
    )


def _balanced(usage: Usage, total: int | None) -> Usage:
    """Tokens that only the total knows of are output, and were thought; thinking is never more than output."""
    missing = (total or 0) - usage.total_tokens
    if missing <= 0 and (usage.output_reasoning_tokens or 0) <= (usage.output_tokens or 0):
        return usage
    counts = usage.counts()
    if missing > 0 and usage.input_tokens is not None:
        counts["output_tokens"] = (usage.output_tokens or 0) + missing
        if usage.output_tokens is not None:
            counts["output_reasoning_tokens"] = max(usage.output_reasoning_tokens or 0, missing)
    if "output_tokens" in counts and "output_reasoning_tokens" in counts:
        counts["output_reasoning_tokens"] = min(counts["output_reasoning_tokens"], counts["output_tokens"])
    return Usage.from_counts(counts)


def _count(report: Mapping[str, object], name: str) -> int | None:
    value = report.get(name)
    if value is None or (type(value) is int and 0 <= value <= MAX_COUNT):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count and isinstance(value, int) else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _NOTHING
