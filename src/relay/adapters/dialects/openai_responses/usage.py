"""Usage between the wire's reports and the inclusive vector.

Perplexity names the parts of its input otherwise and counts searches beside the tokens, as OpenAI and xAI do
(https://docs.perplexity.ai/api-reference/agent-post, https://docs.x.ai/docs/guides/tools/overview).
"""

from collections.abc import Mapping
from dataclasses import replace

from relay.adapters.dialects.openai_responses import wire
from relay.domain.usage import MAX_COUNT, Usage

_NO_USAGE = Usage()


def usage_in(report: object, tool_usage: object = None) -> Usage | None:
    """The vector of a report and of OpenAI's `tool_usage` beside it; `None` when they count nothing."""
    told = _mapping(report)
    read = _mapping(told.get("input_tokens_details"))
    made = _mapping(told.get("output_tokens_details"))
    usage = Usage(
        input_tokens=_count(told.get("input_tokens")),
        cache_read_tokens=_first(
            _count(read.get("cached_tokens")), _count(read.get("cache_read_input_tokens"))
        ),
        cache_write_tokens=_first(
            _count(read.get("cache_write_tokens")), _count(read.get("cache_creation_input_tokens"))
        ),
        output_tokens=_count(told.get("output_tokens")),
        output_reasoning_tokens=_count(made.get("reasoning_tokens")),
        web_searches=_searches(told, _mapping(tool_usage)),
    )
    return None if usage == _NO_USAGE else _clamped(usage)


def written(usage: Usage) -> wire.WrittenUsage:
    """The report of a vector: an unreported count reads 0."""
    usage = surviving(usage)
    return wire.WrittenUsage(
        input_tokens=usage.input_tokens or 0,
        input_tokens_details=wire.InputDetails(
            cached_tokens=usage.cache_read_tokens or 0, cache_write_tokens=usage.cache_write_tokens or 0
        ),
        output_tokens=usage.output_tokens or 0,
        output_tokens_details=wire.OutputDetails(reasoning_tokens=usage.output_reasoning_tokens or 0),
        total_tokens=usage.total_tokens,
    )


def surviving(usage: Usage) -> Usage:
    """What a vector keeps on its way through a report."""
    return _clamped(
        Usage(
            input_tokens=usage.input_tokens or 0,
            cache_read_tokens=usage.cache_read_tokens or 0,
            cache_write_tokens=usage.cache_write_tokens or 0,
            output_tokens=usage.output_tokens or 0,
            output_reasoning_tokens=usage.output_reasoning_tokens or 0,
        )
    )


def _clamped(usage: Usage) -> Usage:
    """Thinking is never more than output."""
    thought, made = usage.output_reasoning_tokens, usage.output_tokens
    if thought is None or made is None or thought <= made:
        return usage
    return replace(usage, output_reasoning_tokens=made)


def _searches(told: Mapping[str, object], tool_usage: Mapping[str, object]) -> int | None:
    of_openai = _count(_mapping(tool_usage.get("web_search")).get("num_requests"))
    of_xai = _count(_mapping(told.get("server_side_tool_usage_details")).get("web_search_calls"))
    of_perplexity = _count(
        _mapping(_mapping(told.get("tool_calls_details")).get("search_web")).get("invocation")
    )
    return _first(of_openai or None, of_xai or None, of_perplexity or None)


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count and isinstance(value, int) else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
