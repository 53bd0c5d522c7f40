"""What an answer rests on: Google's grounding and citation metadata, and the canonical citations.

Places are bytes of the answer's whole text on the wire (https://ai.google.dev/api/generate-content#Segment) and
characters here. Of what is cited without a place only the source is told.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Raw

from relay.adapters.dialects.members import Members, count, items, members, text
from relay.adapters.dialects.openai_chat.citations import has_place
from relay.domain.chat import Citation

_SOURCES = ("web", "retrievedContext", "maps")


class Places:
    """Places in a text, counted in characters and in bytes; beyond the text both count alike."""

    def __init__(self, said: str) -> None:
        self.said = said
        sizes = () if said.isascii() else (len(character.encode()) for character in said)
        self._starts = list(accumulate(sizes, initial=0))

    def byte(self, character: int) -> int:
        """Where a character begins."""
        if len(self._starts) == 1:
            return character
        beyond = max(0, character - len(self.said))
        return self._starts[character - beyond] + beyond

    def character(self, byte: int) -> int:
        """Which character a byte belongs to."""
        if len(self._starts) == 1:
            return byte
        beyond = max(0, byte - self._starts[-1])
        return bisect_right(self._starts, byte - beyond) - 1 + beyond


def cited(grounding: Raw | None, citing: Raw | None, said: str) -> tuple[Citation, ...]:
    """The citations of the text `said`, those with a place first."""
    told, places = members(grounding), Places(said)
    sources = [_source(members(chunk)) for chunk in items(told.get("groundingChunks"))]
    placed: list[Citation] = []
    used: set[int] = set()
    for raw in items(told.get("groundingSupports")):
        support = members(raw)
        start, end = _place(members(support.get("segment")), places)
        for index in map(count, items(support.get("groundingChunkIndices"))):
            if index is not None and index < len(sources) and (source := sources[index]) is not None:
                placed.append(Citation(url=source.url, title=source.title, start=start, end=end))
                used.add(index)
    bare = [source for index, source in enumerate(sources) if source is not None and index not in used]
    for raw in items(members(citing).get("citationSources")):
        quoted = members(raw)
        if url := text(quoted.get("uri")):
            start, end = _place(quoted, places)
            placed.append(Citation(url=url, title=text(quoted.get("title")), start=start, end=end))
    return tuple(dict.fromkeys((*placed, *bare)))


def ordered(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """Those with a place first, as they are read back."""
    return tuple(sorted(citations, key=lambda each: not has_place(each)))


def written(citations: Sequence[Citation], said: str) -> dict[str, object]:
    """The metadata of a text's citations."""
    places = Places(said)
    metadata: dict[str, object] = {
        "groundingChunks": [
            {"web": {"uri": each.url, "title": each.title} if each.title else {"uri": each.url}}
            for each in citations
        ]
    }
    supports = [
        {
            "segment": {"startIndex": places.byte(each.start), "endIndex": places.byte(each.end)},
            "groundingChunkIndices": [index],
        }
        for index, each in enumerate(citations)
        if has_place(each)
    ]
    return metadata | ({"groundingSupports": supports} if supports else {})


def _source(chunk: Members) -> Citation | None:
    for kind in _SOURCES:
        source = members(chunk.get(kind))
        if url := text(source.get("uri")):
            return Citation(url=url, title=text(source.get("title")))
    return None


def _place(segment: Members, places: Places) -> tuple[int, int]:
    """Where a segment is. Its own words win where they stand elsewhere: some servers count characters."""
    start = places.character(count(segment.get("startIndex")) or 0)
    end = places.character(count(segment.get("endIndex")) or 0)
    words = text(segment.get("text"))
    if words and places.said[start:end] != words and (found := places.said.find(words)) >= 0:
        return found, found + len(words)
    return start, end
