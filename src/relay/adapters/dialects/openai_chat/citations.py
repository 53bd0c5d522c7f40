"""The sources of an answer: OpenAI's annotations, the list of addresses that others send, and back again.

Annotations are of a text (https://platform.openai.com/docs/guides/tools-web-search). A bare list of addresses says
nothing of places; it stands for the whole answer, and counts only where there are no annotations. It is written as
both, so that clients of either kind find it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from msgspec import UNSET, UnsetType

from relay.adapters.dialects.openai_chat import wire
from relay.domain.chat import Citation, Text

MAX_PLACE = 2**53
"""Beyond it a place in a text is taken for nonsense."""


def cited(annotations: Iterable[wire.Annotation]) -> list[Citation]:
    """The citations among the annotations of a text; other kinds of them have no canonical form."""
    found = [annotation.url_citation for annotation in annotations]
    return [
        Citation(
            url=each.url, title=each.title or "", start=_place(each.start_index), end=_place(each.end_index)
        )
        for each in found
        if each is not None and each.url
    ]


def sources(citations: object, search_results: object) -> tuple[Citation, ...]:
    """The citations that a list of addresses stands for, under the titles that a search gave them."""
    titles = {_text(result.get("url")): _text(result.get("title")) for result in _objects(search_results)}
    listed = [_text(url) for url in citations] if isinstance(citations, list) else []
    named = dict.fromkeys(filter(None, listed)) or titles
    return tuple(Citation(url=url, title=titles.get(url, "")) for url in named if url)


def joined(texts: Iterable[Text]) -> tuple[Citation, ...]:
    """The citations of texts that become one, each once and at its place there."""
    offset, found = 0, list[Citation]()
    for text in texts:
        found += moved(text.citations, offset)
        offset += len(text.text)
    return tuple(dict.fromkeys(found)) if offset else ()


def moved(citations: Iterable[Citation], offset: int) -> list[Citation]:
    """The citations of a text before which so much was put."""
    return [
        replace(each, start=each.start + offset, end=each.end + offset)
        if offset and has_place(each)
        else each
        for each in citations
    ]


def has_place(citation: Citation) -> bool:
    """Whether it says which part of the text rests on it."""
    return (citation.start, citation.end) != (0, 0)


def annotations(citations: Sequence[Citation]) -> tuple[wire.WrittenAnnotation, ...] | UnsetType:
    """The citations of one text on the wire."""
    return (
        tuple(
            wire.WrittenAnnotation(
                wire.WrittenUrlCitation(
                    url=each.url, title=each.title, start_index=each.start, end_index=each.end
                )
            )
            for each in citations
        )
        or UNSET
    )


def addresses(citations: Iterable[Citation]) -> tuple[str, ...] | UnsetType:
    """The list of addresses beside them: of those citations that came as one."""
    return tuple(dict.fromkeys(each.url for each in citations if not has_place(each))) or UNSET


def _place(index: int | None) -> int:
    return index if index is not None and 0 <= index < MAX_PLACE else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
