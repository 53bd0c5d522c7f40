"""How model names are compared, split and suggested.

Names are matched lower-case and without a trailing `:latest`; a provider always receives its own exact id.
Ollama's naming rules are in its model name parser (`registry/namespace/model:tag`).
"""

from collections.abc import Iterable
from functools import lru_cache
from heapq import nlargest
from itertools import pairwise

DEFAULT_TAG = ":latest"
MAX_NAME_CHARACTERS = 512
_LIKELY = 24
_KEPT = 4096


def normalise(name: str) -> str:
    """The form in which two spellings of one name are equal."""
    return _normalised(name) if len(name) <= MAX_NAME_CHARACTERS else _normalised.__wrapped__(name)


@lru_cache(_KEPT)
def _normalised(name: str) -> str:
    lowered = name.strip().lower()
    end = len(lowered)
    while lowered.endswith(DEFAULT_TAG, 0, end):
        end -= len(DEFAULT_TAG)
        while end and lowered[end - 1].isspace():
            end -= 1
    return lowered[:end] or lowered


def split_tags(name: str) -> tuple[str, tuple[str, ...]]:
    """`model@tag,tag` as the model's name and its raw tags; no `@` means no tags."""
    model, at, tags = name.rpartition("@")
    if not at or not model:
        return name, ()
    return model, tuple(tag for raw in tags.split(",") if (tag := raw.strip()))


def split_prefix(name: str, separator: str) -> Iterable[tuple[str, str]]:
    """Every way to read `name` as prefix, separator, rest, with the longest prefix first.

    Prefixes are names themselves, so none is longer than `MAX_NAME_CHARACTERS`.
    """
    end = min(len(name), MAX_NAME_CHARACTERS + 1)
    while (end := name.rfind(separator, 0, end)) > 0:
        if rest := name[end + len(separator) :]:
            yield name[:end], rest


def closest(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Known names that look like `name`, best first, for an error's suggestion."""
    by_normal = {normalise(candidate): candidate for candidate in known}
    by_last_part: dict[str, str] = {}
    for normal, candidate in by_normal.items():
        by_last_part.setdefault(normal.rpartition("/")[2], candidate)
    wanted = normalise(name)[:MAX_NAME_CHARACTERS]
    near = [by_normal[match] for match in _matches(wanted, by_normal, limit)]
    near += [by_last_part[match] for match in _matches(wanted.rpartition("/")[2], by_last_part, limit)]
    return tuple(dict.fromkeys(near))[:limit]


def _matches(wanted: str, names: Iterable[str], limit: int) -> list[str]:
    """Close matches among the few names that share most with `wanted`: comparing thousands takes too long."""
    from difflib import get_close_matches  # a tenth of what the domain takes to import, for errors alone

    pairs = _pairs(wanted)
    likely = nlargest(_LIKELY, names, key=lambda name: _likeness(pairs, _pairs(name)))
    return get_close_matches(wanted, likely, limit, 0.6)


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(pairwise(text))


def _likeness(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> float:
    """Dice's coefficient."""
    return 2 * len(one & other) / (len(one) + len(other) or 1)
