"""Usage between `usageMetadata` and the inclusive vector.

The prompt's count includes what was cached and leaves out what tools added, the answer's leaves out thoughts; the
total has all four (https://ai.google.dev/api/generate-content#UsageMetadata). A count of zero is left out there.
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from relay.adapters.dialects.members import counted
from relay.domain.usage import Usage

_PROMPT: Mapping[str, str] = {
    "AUDIO": "input_audio_tokens",
    "IMAGE": "input_image_tokens",
    "DOCUMENT": "input_image_tokens",  # priced as one
    "VIDEO": "input_video_tokens",
}
_CACHE: Mapping[str, str] = {"AUDIO": "cache_audio_read_tokens", "IMAGE": "cache_image_read_tokens"}
_ANSWER: Mapping[str, str] = {"AUDIO": "output_audio_tokens", "IMAGE": "output_image_tokens"}
_DETAILS: Mapping[str, Mapping[str, str]] = {
    "promptTokensDetails": _PROMPT,
    "cacheTokensDetails": _CACHE,
    "candidatesTokensDetails": _ANSWER,
}


class _Report(msgspec.Struct, rename="camel"):
    """One of these comes with every piece of a stream; no member is trusted to have its type."""

    prompt_token_count: object = None
    cached_content_token_count: object = None
    candidates_token_count: object = None
    tool_use_prompt_token_count: object = None
    thoughts_token_count: object = None
    total_token_count: object = None
    prompt_tokens_details: object = None
    cache_tokens_details: object = None
    candidates_tokens_details: object = None


_report = msgspec.json.Decoder(_Report)


def usage_in(report: Raw | None) -> Usage | None:
    """The vector of one report; `None` when it counts nothing."""
    if (told := _told(report)) is None:
        return None
    prompt, tools = counted(told.prompt_token_count), counted(told.tool_use_prompt_token_count)
    spoken, thought = counted(told.candidates_token_count), counted(told.thoughts_token_count)
    total = counted(told.total_token_count)
    counts: dict[str, int] = {}
    if prompt is not None or tools is not None:
        counts["input_tokens"] = (prompt or 0) + (tools or 0)
    if tools is not None:
        counts["input_tool_tokens"] = tools
    if (cached := counted(told.cached_content_token_count)) is not None:
        counts["cache_read_tokens"] = cached
    if thought is not None:
        counts["output_reasoning_tokens"] = thought
    if spoken is not None or thought is not None or (total is not None and "input_tokens" in counts):
        known = (spoken or 0) + (thought or 0)
        counts["output_tokens"] = max(known, (total or 0) - counts.get("input_tokens", total or 0))
    for classes, details in (
        (_PROMPT, told.prompt_tokens_details),
        (_CACHE, told.cache_tokens_details),
        (_ANSWER, told.candidates_tokens_details),
    ):
        for modality, number in _by_modality(details):
            if modality in classes:
                counts[classes[modality]] = counts.get(classes[modality], 0) + number
    return Usage.from_counts(counts) if counts else None


def written(usage: Usage) -> dict[str, object]:
    """The report of a vector. Thinking is never more than output, nor what tools added more than input."""
    report: dict[str, object] = {}
    thought = _within(usage.output_reasoning_tokens, usage.output_tokens)
    tools = _within(usage.input_tool_tokens, usage.input_tokens)
    if usage.input_tokens is not None:
        report["promptTokenCount"] = usage.input_tokens - (tools or 0)
    if usage.cache_read_tokens is not None:
        report["cachedContentTokenCount"] = usage.cache_read_tokens
    if usage.output_tokens is not None:
        report["candidatesTokenCount"] = usage.output_tokens - (thought or 0)
    if tools is not None:
        report["toolUsePromptTokenCount"] = tools
    if thought is not None:
        report["thoughtsTokenCount"] = thought
    if usage.input_tokens is not None and usage.output_tokens is not None:
        report["totalTokenCount"] = usage.total_tokens
    counts = usage.counts()
    for name, classes in _DETAILS.items():
        known = {modality: counts[kind] for modality, kind in classes.items() if kind in counts}
        known.pop("DOCUMENT", None)
        if known:
            report[name] = [{"modality": each, "tokenCount": number} for each, number in known.items()]
    return report


def _within(part: int | None, whole: int | None) -> int | None:
    return None if part is None or whole is None else min(part, whole)


def _told(report: Raw | None) -> _Report | None:
    try:
        return None if report is None else _report.decode(report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _by_modality(details: object) -> Iterator[tuple[str, int]]:
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and (number := counted(detail.get("tokenCount"))) is not None:
            yield str(detail.get("modality")), number
