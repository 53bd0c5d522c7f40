"""What an answer rests on: Google's grounding and citation metadata, and the canonical citations.

Places are bytes of the answer's whole text on the wire (https://ai.google.dev/api/generate-content#Segment) and
characters here. Of what is cited without a place only the source is told.
"""

from collections.abc import Iterable, Sequence

from msgspec import Raw

from relay.adapters.dialects.members import Members, count, items, members, text
from relay.adapters.dialects.openai_chat.citations import has_place
from relay.domain.chat import Citation

_SOURCES = ("web", "retrievedContext", "maps")


def cited(grounding: Raw | None, citing: Raw | None, said: str) -> tuple[Citation, ...]:
    """The citations of the text `said`, those with a place first."""
    told = members(grounding)
    sources = [_source(members(chunk)) for chunk in items(told.get("groundingChunks"))]
    placed: list[Citation] = []
    used: set[int] = set()
    for raw in items(told.get("groundingSupports")):
        support = members(raw)
        start, end = _place(members(support.get("segment")), said)
        for index in map(count, items(support.get("groundingChunkIndices"))):
            if index is not None and index < len(sources) and (source := sources[index]) is not None:
                placed.append(Citation(url=source.url, title=source.title, start=start, end=end))
                used.add(index)
    bare = [source for index, source in enumerate(sources) if source is not None and index not in used]
    for raw in items(members(citing).get("citationSources")):
        quoted = members(raw)
        if url := text(quoted.get("uri")):
            start, end = _place(quoted, said)
            placed.append(Citation(url=url, title=text(quoted.get("title")), start=start, end=end))
    return tuple(dict.fromkeys((*placed, *bare)))


def ordered(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """Those with a place first, as they are read back."""
    return tuple(sorted(citations, key=lambda each: not has_place(each)))


def written(citations: Sequence[Citation], said: str) -> dict[str, object]:
    """The metadata of a text's citations."""
    metadata: dict[str, object] = {
        "groundingChunks": [
            {"web": {"uri": each.url, "title": each.title} if each.title else {"uri": each.url}}
            for each in citations
        ]
    }
    supports = [
        {
            "segment": {"startIndex": _byte(each.start, said), "endIndex": _byte(each.end, said)},
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


def _place(segment: Members, said: str) -> tuple[int, int]:
    """Where a segment is. Its own words win where they stand elsewhere: some servers count characters."""
    start = _character(count(segment.get("startIndex")) or 0, said)
    end = _character(count(segment.get("endIndex")) or 0, said)
    words = text(segment.get("text"))
    if words and said[start:end] != words and (found := said.find(words)) >= 0:
        return found, found + len(words)
    return start, end


def _byte(character: int, said: str) -> int:
    """The place in bytes; beyond the text both count alike."""
    return len(said[:character].encode()) + max(0, character - len(said))


def _character(byte: int, said: str) -> int:
    encoded = said.encode()
    return len(encoded[:byte].decode(errors="ignore")) + max(0, byte - len(encoded))
