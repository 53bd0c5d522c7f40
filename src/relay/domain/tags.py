"""Attribution tags: who pays. Parsed from keys, headers, model suffixes and bearer lists, then merged.

A tag is `key:value`; a bare word is `tag:word`. A tag bound to a key, alias or router is never overridden by
one the caller sends for the same key. What looks like a vendor's secret is never stored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

type TagSource = Literal["key", "alias", "router", "header", "model", "bearer"]

BOUND_SOURCES: frozenset[TagSource] = frozenset({"key", "alias", "router"})
MAX_TAGS = 10
MAX_TAG_CHARACTERS = 64
MAX_WORDS = 100

PLACEHOLDERS = frozenset(
    {"ollama", "none", "empty", "dummy", "sk-no-key-required", "no-key", "not-needed", "null"}
)
"""What SDKs send when they insist on a key and have none."""

_SECRET_LIKE = re.compile(
    r"(?i)^((sk|pk|rk|gsk|xai|pplx|csk|fw|r8|hf|key|tgp|gh[opsu]|github_pat|glpat|lr)[-_]|aiza|akia|ya29|eyj)"
    r"[-_.a-z0-9]{12,}$"
)
_LONG_TOKEN = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_\-+/=.]{32,}$")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f,]")


@dataclass(frozen=True, slots=True)
class Tag:
    """One attribution tag and where it came from."""

    key: str
    value: str
    source: TagSource

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


def looks_secret(word: str) -> bool:
    """True for what resembles a provider's key, a token, or a placeholder for one."""
    bare = word.strip()
    return (
        bare.lower() in PLACEHOLDERS
        or _SECRET_LIKE.match(bare) is not None
        or _LONG_TOKEN.match(bare) is not None
    )


def parse(words: Iterable[str], source: TagSource) -> tuple[Tag, ...]:
    """Tags from raw words; empty, over-long, control-bearing and secret-like ones are left out.

    So are words beyond `MAX_WORDS`: at most `MAX_TAGS` of them could count.
    """
    few = islice(words, MAX_WORDS)
    return tuple(tag for word in few if (tag := _parsed(word, source)) is not None)


def parse_list(text: str, source: TagSource) -> tuple[Tag, ...]:
    """Tags from a comma-separated list."""
    return parse(text.split(","), source)


def merge(*groups: Iterable[Tag]) -> tuple[Tag, ...]:
    """All tags in order, bound ones first, without duplicates, capped at ten.

    A caller's tag is dropped when a bound tag has the same key.
    """
    everything = [tag for group in groups for tag in group]
    bound = [tag for tag in everything if tag.source in BOUND_SOURCES]
    locked = {tag.key for tag in bound}
    free = [tag for tag in everything if tag.source not in BOUND_SOURCES and tag.key not in locked]
    unique: dict[tuple[str, str], Tag] = {}
    for tag in (*bound, *free):
        unique.setdefault((tag.key, tag.value), tag)
    return tuple(unique.values())[:MAX_TAGS]


def _parsed(word: str, source: TagSource) -> Tag | None:
    key, colon, value = word.strip().partition(":")
    if not colon:
        key, value = "tag", key
    key, value = key.strip().lower(), value.strip()
    if not key or not value or len(key) + len(value) > MAX_TAG_CHARACTERS:
        return None
    if _FORBIDDEN.search(key + value) or any(looks_secret(text) for text in (key, value, word)):
        return None
    return Tag(key, value, source)
