"""What an answer rests on: Cohere's citations of documents and of tools' results, and the canonical ones.

Each is of characters of one piece of content, or of the plan before calls, and may have several sources; one
without an address goes by its id (https://docs.cohere.com/docs/documents-and-citations).
"""

from collections.abc import Sequence

from msgspec import Raw

from relay.adapters.dialects.members import Members, count, items, members, text
from relay.domain.chat import Citation

PLAN = "PLAN"
CONTENT = "TEXT_CONTENT"


def is_of_plan(cited: Members) -> bool:
    """Whether it is the plan that rests on it."""
    return text(cited.get("type")) == PLAN


def sources(cited: Members) -> tuple[Citation, ...]:
    """A citation for each of its sources."""
    start, end = count(cited.get("start")) or 0, count(cited.get("end")) or 0
    found = [_source(members(raw), start, end) for raw in items(cited.get("sources"))]
    return tuple(citation for citation in found if citation is not None)


def written(citations: Sequence[Citation], *, said: str, kind: str, index: int) -> list[dict[str, object]]:
    """The citations of one piece of content."""
    return [
        {
            "start": each.start,
            "end": each.end,
            "text": said[each.start : each.end],
            "sources": [{"type": "document", "id": each.url, "document": _document(each)}],
            "content_index": index,
            "type": kind,
        }
        for each in citations
    ]


def _source(source: Members, start: int, end: int) -> Citation | None:
    shown = members(source.get("document")) or members(source.get("tool_output"))
    address = text(shown.get("url")) or text(source.get("id")) or text(shown.get("id"))
    return Citation(url=address, title=text(shown.get("title")), start=start, end=end) if address else None


def _document(citation: Citation) -> dict[str, object]:
    document: dict[str, object] = {"id": citation.url, "url": citation.url}
    return document | ({"title": citation.title} if citation.title else {})


def raws(value: Raw | None) -> Sequence[Members]:
    """Citations in a list, or the one that a stream's event has in its place."""
    return [members(raw) for raw in items(value)] or ([one] if (one := members(value)) else [])
