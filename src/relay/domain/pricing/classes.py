"""The classes that providers price, and how a usage vector falls into parts of which each is billed once.

Token classes nest and overlap: cached audio is in the audio and in the cached tokens, both are in the input.
A priced class is billed for what no priced class inside it takes; a class without a rate stays in the class around
it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache

MILLION, THOUSAND, HOUR_S = 1_000_000, 1_000, 3_600


@dataclass(frozen=True, slots=True)
class PricedClass:
    """`rate` is the name in price tables, `count` the one in `Usage`; a rate is for `per` units of the count.

    `traits` are direction, kind, modality and time to live of a token class, empty where any will do; a counter
    has none.
    """

    rate: str
    count: str
    per: int
    traits: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """How specific a token class is."""
        return sum(map(bool, self.traits))


def _tokens(rate: str, direction: str, kind: str = "", modality: str = "", ttl: str = "") -> PricedClass:
    return PricedClass(rate, f"{rate}_tokens", MILLION, (direction, kind, modality, ttl))


TOKEN_CLASSES = (
    _tokens("input", "input"),
    _tokens("cache_read", "input", "read"),
    _tokens("cache_write", "input", "write"),
    _tokens("cache_write_5m", "input", "write", "", "5m"),
    _tokens("cache_write_1h", "input", "write", "", "1h"),
    _tokens("input_audio", "input", "", "audio"),
    _tokens("input_image", "input", "", "image"),
    _tokens("input_video", "input", "", "video"),
    _tokens("input_tool", "input", "tool"),
    _tokens("cache_audio_read", "input", "read", "audio"),
    _tokens("cache_image_read", "input", "read", "image"),
    _tokens("output", "output"),
    _tokens("output_reasoning", "output", "reasoning"),
    _tokens("output_audio", "output", "", "audio"),
    _tokens("output_image", "output", "", "image"),
    _tokens("output_citation", "output", "citation"),
)
COUNTERS = (
    PricedClass("request", "requests", THOUSAND),
    PricedClass("web_search", "web_searches", THOUSAND),
    PricedClass("code_execution", "code_executions", THOUSAND),
    PricedClass("image", "images", THOUSAND),
    PricedClass("page", "pages", THOUSAND),
    PricedClass("audio_hour", "audio_seconds", HOUR_S),
    PricedClass("character", "characters", MILLION),
)
CLASSES: dict[str, PricedClass] = {priced.rate: priced for priced in (*TOKEN_CLASSES, *COUNTERS)}
"""Every class by the name of its rate."""

ROOTS = ("input", "output")
"""The classes that every token is in."""


def is_inside(inner: PricedClass, outer: PricedClass) -> bool:
    """Whether every token of `inner` is one of `outer`, which is another class."""
    return inner is not outer and all(
        theirs in ("", own) for own, theirs in zip(inner.traits, outer.traits, strict=True)
    )


@cache
def parents() -> tuple[tuple[str, str], ...]:
    """Names of counts of which the first is part of the second."""
    return tuple(
        (inner.count, outer.count)
        for inner in TOKEN_CLASSES
        for outer in TOKEN_CLASSES
        if is_inside(inner, outer) and inner.depth == outer.depth + 1
    )


@dataclass(frozen=True, slots=True)
class Split:
    """How the tokens fall into the priced classes, the most specific first; both roots are always there.

    Each step is a class and the positions of the earlier steps inside it. `overlap` are two priced classes that
    share tokens of which no price says what they cost: nothing can be billed then.
    """

    steps: tuple[tuple[PricedClass, tuple[int, ...]], ...]
    overlap: tuple[str, str] | None = None


@lru_cache(1024)
def split(rates: frozenset[str]) -> Split:
    """The split for a set of priced classes, by the names of their rates; counters are not looked at."""
    priced = [one for one in TOKEN_CLASSES if one.rate in rates]
    classes = priced + [CLASSES[root] for root in ROOTS if root not in rates]
    ordered = sorted(classes, key=lambda one: (-one.depth, one.count))
    steps = tuple(
        (one, tuple(place for place, other in enumerate(ordered) if is_inside(other, one))) for one in ordered
    )
    return Split(steps, overlapping(priced))


def overlapping(priced: Collection[PricedClass]) -> tuple[str, str] | None:
    """Two priced token classes whose common part has no price of its own, by the names of their rates."""
    traits = {one.traits for one in priced}
    for one in priced:
        for other in priced:
            common = _common(one, other)
            if common is not None and common not in traits:
                return one.rate, other.rate
    return None


def _common(one: PricedClass, other: PricedClass) -> tuple[str, ...] | None:
    """The traits of tokens that are in both; `None` where none can be."""
    pairs = tuple(zip(one.traits, other.traits, strict=True))
    if any(own and theirs and own != theirs for own, theirs in pairs):
        return None
    return tuple(own or theirs for own, theirs in pairs)
