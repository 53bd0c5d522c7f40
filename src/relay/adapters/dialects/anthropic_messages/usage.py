"""Usage between Anthropic's reports and the inclusive vector.

Anthropic counts input tokens without those that were read from the cache or written to it. A report of nothing but
zeros stands for none: clients must have one. https://docs.anthropic.com/en/api/messages, "usage".
"""

from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.members import Members, count, members
from relay.domain.usage import Usage


class UsageReader:
    """The counts of one answer: each report overrides an earlier one field by field."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._reported: Usage | None = None

    def take(self, report: Members) -> Usage | None:
        """The vector so far, if this report changed it."""
        for name in ("input_tokens", "output_tokens", *_CACHES):
            self._put(name, report, name)
        created = members(report.get("cache_creation"))
        self._put("5m", created, "ephemeral_5m_input_tokens")
        self._put("1h", created, "ephemeral_1h_input_tokens")
        self._put("thinking", members(report.get("output_tokens_details")), "thinking_tokens")
        self._put("searches", members(report.get("server_tool_use")), "web_search_requests")
        usage = self._vector()
        if usage == self._reported or not any(usage.counts().values()):
            return None
        self._reported = usage
        return usage

    def _put(self, name: str, report: Members, member: str) -> None:
        if (value := count(report.get(member))) is not None:
            self._counts[name] = value

    def _vector(self) -> Usage:
        counts = self._counts
        written, read = (counts.get(name) for name in _CACHES)
        output, thinking = counts.get("output_tokens"), counts.get("thinking")
        return Usage(
            input_tokens=counts["input_tokens"] + (written or 0) + (read or 0)
            if "input_tokens" in counts
            else None,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_5m_tokens=counts.get("5m"),
            cache_write_1h_tokens=counts.get("1h"),
            output_tokens=output,
            output_reasoning_tokens=None if thinking is None else min(thinking, output or 0),
            web_searches=counts.get("searches"),
        )


_CACHES = ("cache_creation_input_tokens", "cache_read_input_tokens")


def written(usage: Usage | None) -> wire.Usage:
    """The report of a vector; one that is not known reads 0."""
    usage = usage or Usage()
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    report = wire.Usage(
        input_tokens=max((usage.input_tokens or 0) - cached, 0),
        output_tokens=usage.output_tokens or 0,
        cache_creation_input_tokens=usage.cache_write_tokens,
        cache_read_input_tokens=usage.cache_read_tokens,
    )
    if usage.cache_write_5m_tokens is not None or usage.cache_write_1h_tokens is not None:
        report.cache_creation = wire.CacheCreation(
            usage.cache_write_5m_tokens or 0, usage.cache_write_1h_tokens or 0
        )
    if usage.output_reasoning_tokens is not None:
        report.output_tokens_details = wire.ThinkingTokens(
            min(usage.output_reasoning_tokens, usage.output_tokens or 0)
        )
    if usage.web_searches is not None:
        report.server_tool_use = wire.ServerToolUse(usage.web_searches)
    return report


def surviving(usage: Usage | None) -> Usage | None:
    """What a vector keeps on its way through a report."""
    if usage is None:
        return None
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    is_split = usage.cache_write_5m_tokens is not None or usage.cache_write_1h_tokens is not None
    output = usage.output_tokens or 0
    kept = Usage(
        input_tokens=max(usage.input_tokens or 0, cached),
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_5m_tokens=(usage.cache_write_5m_tokens or 0) if is_split else None,
        cache_write_1h_tokens=(usage.cache_write_1h_tokens or 0) if is_split else None,
        output_tokens=output,
        output_reasoning_tokens=None
        if usage.output_reasoning_tokens is None
        else min(usage.output_reasoning_tokens, output),
        web_searches=usage.web_searches,
    )
    return kept if any(kept.counts().values()) else None
