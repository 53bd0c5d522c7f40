"""Usage between Cohere's report and the inclusive vector.

What is billed is less than what the model read and wrote, as Cohere's own instructions are free; it is what counts
here, as counts become money (https://docs.cohere.com/docs/rate-limits, "billed units"). Where nothing is said of
bills, the tokens count; cached ones are a part of those alone.
"""

from msgspec import Raw

from relay.adapters.dialects.members import count, members
from relay.domain.usage import Usage


def usage_in(report: Raw | None) -> Usage | None:
    """The vector of one report; `None` when it counts nothing."""
    told = members(report)
    tokens, billed = members(told.get("tokens")), members(told.get("billed_units"))
    images = count(tokens.get("image_tokens"))
    read, spoken = count(tokens.get("input_tokens")), count(tokens.get("output_tokens"))
    total = None if read is None and images is None else (read or 0) + (images or 0)
    billed_input = count(billed.get("input_tokens"))
    counts = _known(
        input_tokens=total if billed_input is None else billed_input,
        cache_read_tokens=count(told.get("cached_tokens")) if billed_input is None else None,
        input_image_tokens=images,
        output_tokens=_first(count(billed.get("output_tokens")), spoken),
        output_reasoning_tokens=count(tokens.get("reasoning_tokens")),
    )
    bounded = {
        "input_image_tokens": "input_tokens",
        "output_reasoning_tokens": "output_tokens",
    }
    for part, whole in bounded.items():
        if part in counts and whole in counts:
            counts[part] = min(counts[part], counts[whole])
    return Usage.from_counts(counts) if counts else None


def written(usage: Usage) -> dict[str, object]:
    """The report of a vector, as tokens."""
    images = usage.input_image_tokens
    if images is not None and usage.input_tokens is not None:
        images = min(images, usage.input_tokens)
    tokens = _known(
        input_tokens=None if usage.input_tokens is None else usage.input_tokens - (images or 0),
        output_tokens=usage.output_tokens,
        image_tokens=images,
        reasoning_tokens=usage.output_reasoning_tokens,
    )
    report: dict[str, object] = {"tokens": tokens} if tokens else {}
    return report | _known(cached_tokens=usage.cache_read_tokens)


def _known(**counts: int | None) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value is not None}


def _first(*counts: int | None) -> int | None:
    return next((each for each in counts if each is not None), None)
