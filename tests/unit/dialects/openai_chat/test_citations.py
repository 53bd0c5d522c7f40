"""What an answer cites: read in every form providers give it, and written in the one that every client takes."""

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Citation, Text
from relay.domain.events import ChatResponse, Choice
from relay.domain.folding import unfold
from tests.unit.dialects.openai_chat.talk import (
    Json,
    a_scene,
    answer_to,
    choice_of,
    deltas_of,
    frames_of,
    said,
    stream_of,
    whole,
    written,
)

STOP = said({}, "stop")
URL = "https://example.org/1"
OTHER = "https://example.org/2"
PLACED = Citation(url=URL, title="One", start=2, end=5)
BARE = Citation(url=OTHER)
PLACE = {"url": URL, "title": "One", "start_index": 2, "end_index": 5}
ANNOTATION = {"type": "url_citation", "url_citation": PLACE}


def citations_of(*chunks: Json | bytes) -> tuple[Citation, ...]:
    """What the text of a stream of one choice cites."""
    [text] = [part for part in choice_of(*chunks).parts if isinstance(part, Text)]
    return text.citations


def test_annotations_are_gathered_from_any_chunk_each_once() -> None:
    chunks = (
        said({"content": "ab", "annotations": [ANNOTATION]}),
        said({"annotations": [ANNOTATION]}),
        said({"content": "cde", "annotations": []}, "stop"),
    )
    assert citations_of(*chunks) == (PLACED,)


def test_a_whole_answer_cites_as_a_stream_does() -> None:
    body = whole({"role": "assistant", "content": "abcde", "annotations": [ANNOTATION]})
    assert DIALECT.decode_response(body).choices[0].parts == (Text(text="abcde", citations=(PLACED,)),)


@pytest.mark.parametrize(
    ("annotation", "citation"),
    [
        ({"url": URL}, Citation(url=URL)),
        ({"url": URL, "title": None, "start_index": None, "end_index": None}, Citation(url=URL)),
        ({"url": URL, "start_index": 2.0, "end_index": "5"}, Citation(url=URL, start=2, end=5)),
        ({"url": URL, "start_index": -1, "end_index": 10**30}, Citation(url=URL)),
        ({"url": URL, "title": 7, "start_index": [], "end_index": {}}, Citation(url=URL, title="7")),
        ({"url": URL, "content": "more"}, Citation(url=URL)),
    ],
)
def test_what_an_annotation_does_not_say_is_not_known(annotation: Json, citation: Citation) -> None:
    told = {"type": "url_citation", "url_citation": annotation}
    assert citations_of(said({"content": "a", "annotations": [told]}), STOP) == (citation,)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "file_citation", "file_citation": {"file_id": "f"}},
        {"type": "url_citation"},
        {"type": "url_citation", "url_citation": {}},
        {"type": "url_citation", "url_citation": {"url": ""}},
        {"type": "url_citation", "url_citation": 5},
        "x",
        None,
    ],
)
def test_an_annotation_without_an_address_is_none(odd: object) -> None:
    assert citations_of(said({"content": "a", "annotations": [odd, ANNOTATION]}), STOP) == (PLACED,)
    assert citations_of(said({"content": "a", "annotations": odd}), STOP) == ()


def test_a_list_of_addresses_that_every_chunk_repeats_is_read_once() -> None:
    more: Json = {
        "citations": [URL, OTHER, URL],
        "search_results": [{"url": OTHER, "title": "Two", "date": None}, {"title": "?"}, 5],
    }
    chunks = said({"content": "a"}, **more), said({"content": "b"}, **more), said({}, "stop", **more)
    assert citations_of(*chunks) == (Citation(url=URL), Citation(url=OTHER, title="Two"))


def test_what_a_search_found_stands_for_a_missing_list() -> None:
    found = [{"url": URL, "title": "One"}]
    assert citations_of(said({"content": "a"}, "stop", search_results=found)) == (
        Citation(url=URL, title="One"),
    )


def test_annotations_say_more_than_a_list_beside_them() -> None:
    chunk = said({"content": "abcde", "annotations": [ANNOTATION]}, "stop", citations=[URL, OTHER])
    assert citations_of(chunk) == (PLACED,)


@pytest.mark.parametrize(
    "odd", [None, 5, "x", {}, [None, 5, "", []], [{"url": [], "title": {}}, {"url": ""}]]
)
def test_a_list_of_another_shape_names_nothing(odd: object) -> None:
    chunk = said({"content": "a"}, "stop", citations=odd, search_results=odd)
    assert citations_of(chunk) == ()


def test_a_list_is_of_every_choice() -> None:
    answer = answer_to(
        said({"content": "a"}, "stop", citations=[URL]), said({"content": "b"}, "stop", index=1)
    )
    for choice in answer.choices:
        assert isinstance(choice.parts[0], Text)
        assert choice.parts[0].citations == (Citation(url=URL),)


def response_of(*texts: Text) -> ChatResponse:
    return ChatResponse(choices=(Choice(parts=texts, finish="stop"),))


def streamed(*texts: Text) -> bytes:
    return written(unfold(response_of(*texts)))


def whole_of(*texts: Text) -> bytes:
    return DIALECT.encode_response(response_of(*texts), a_scene())


def test_all_citations_are_in_one_delta_before_the_finish() -> None:
    stream = streamed(Text(text="abcde", citations=(PLACED,)), Text(text="fgh", citations=(PLACED, BARE)))
    *_, cites, finish = deltas_of(stream)
    moved = {**PLACE, "start_index": 7, "end_index": 10}
    bare = {"url": OTHER, "title": "", "start_index": 0, "end_index": 0}
    assert [each["url_citation"] for each in cites["annotations"]] == [PLACE, moved, bare]
    assert finish == {}
    assert sum("annotations" in delta for delta in deltas_of(stream)) == 1


def test_a_whole_answer_has_them_in_its_message() -> None:
    answer: Any = ChatCompletion.model_validate_json(whole_of(Text(text="abcde", citations=(PLACED, BARE))))
    first, second = answer.choices[0].message.annotations
    assert first.model_dump() == ANNOTATION
    assert (second.url_citation.url, second.url_citation.end_index) == (OTHER, 0)
    assert answer.citations == [OTHER]


def test_only_what_came_as_a_list_goes_as_a_list_too() -> None:
    listed = [
        frame["citations"]
        for frame in frames_of(streamed(Text(text="a", citations=(BARE,))))
        if "citations" in frame
    ]
    assert listed == [[OTHER]]
    placed = Text(text="abcde", citations=(PLACED,))
    assert not any(b'"citations"' in answer for answer in (streamed(placed), whole_of(placed)))


def test_an_answer_that_cites_nothing_does_not_speak_of_it() -> None:
    for answer in (streamed(Text(text="a")), whole_of(Text(text="a"))):
        assert b"annotations" not in answer
        assert b"citations" not in answer


def test_openai_pythons_helper_takes_them() -> None:
    state = ChatCompletionStreamState()
    for chunk in frames_of(streamed(Text(text="abcde", citations=(PLACED, BARE)))):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    message: Any = state.current_completion_snapshot.choices[0].message
    assert len(message.annotations) == 2


def tapped(*chunks: Json) -> bytes:
    tap = DIALECT.tap(a_scene())
    return tap.feed(stream_of(chunks)).raw + tap.close().raw


def test_what_passes_keeps_its_annotations() -> None:
    raw = tapped(
        said({"role": "assistant", "content": "abcde"}),
        said({"annotations": [{**ANNOTATION, "vendor": 1}]}, "stop", citations=[OTHER]),
    )
    vendors = {**ANNOTATION, "vendor": 1}
    assert [delta.get("annotations") for delta in deltas_of(raw)] == [None, [vendors], None]
    assert any(chunk.get("citations") == [OTHER] for chunk in frames_of(raw))


def test_what_passes_tells_all_annotations_at_once_before_the_finish() -> None:
    first, second = ({**ANNOTATION, "vendor": number} for number in (1, 2))
    raw = tapped(
        said({"role": "assistant", "content": "abc", "annotations": [first]}),
        said({"annotations": []}),
        said({"content": "de"}),
        said({"annotations": [second, "odd"]}),
        said({}, "stop"),
    )
    assert deltas_of(raw) == [
        {"role": "assistant", "content": "abc"},
        {"annotations": []},
        {"content": "de"},
        {"annotations": [first, second, "odd"]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in frames_of(raw)] == [None] * 4 + ["stop"]


def test_annotations_of_an_answer_that_breaks_off_are_not_made_a_finish() -> None:
    tap = DIALECT.tap(a_scene())
    passed = tap.feed(stream_of([said({"content": "a", "annotations": [ANNOTATION]})], b"")).raw
    assert b"annotations" not in passed + tap.close().raw
