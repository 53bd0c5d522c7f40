"""Token and unit counts of one attempt, in the inclusive vector every provider is mapped to.

`input_tokens` includes cached and written-to-cache tokens, `output_tokens` includes reasoning. A count of
`None` was not reported; zero was reported as zero. The names are those of the price tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Literal, Self

from relay.domain.values import value

type UsageSource = Literal["reported", "estimated", "none"]

MAX_COUNT = 2**53 - 1
"""Larger counts are a provider's mistake: they would not survive JSON."""


@value
class Usage:
    """Counts as reported; a subset class is already part of its total."""

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_video_tokens: int | None = None
    input_tool_tokens: int | None = None
    cache_audio_read_tokens: int | None = None
    cache_image_read_tokens: int | None = None
    output_tokens: int | None = None
    output_reasoning_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    output_citation_tokens: int | None = None
    requests: int | None = None
    web_searches: int | None = None
    code_executions: int | None = None
    images: int | None = None
    pages: int | None = None
    audio_seconds: int | None = None
    characters: int | None = None

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Self:
        """Read back what `counts` gave; unknown names are ignored so that older records stay readable."""
        return cls(**{name: counts[name] for name in USAGE_CLASSES if name in counts})

    def counts(self) -> dict[str, int]:
        """The reported classes only, in the order of the vector."""
        return {
            name: count
            for name, count in zip(USAGE_CLASSES, _counts_of(self), strict=True)
            if count is not None
        }

    def merged(self, later: Self) -> Self:
        """This vector with every count that `later` reports: cumulative reports, the last one wins."""
        pairs = zip(_counts_of(self), _counts_of(later), strict=True)
        if all(new is not None for old, new in pairs if old is not None):
            return later
        return type(self)(**(self.counts() | later.counts()))

    @property
    def total_tokens(self) -> int:
        """Input plus output, unreported taken as zero."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)


USAGE_CLASSES: tuple[str, ...] = tuple(field.name for field in fields(Usage))
_counts_of: Callable[[Usage], tuple[int | None, ...]] = attrgetter(*USAGE_CLASSES)
