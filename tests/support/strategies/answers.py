"""Whole answers: text with what it cites, thinking, refusals, tool calls, logprobs, usage, several choices."""

from functools import cache

from hypothesis import strategies as st

from relay.domain.chat import Citation, DialectName, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    FinishReason,
    TokenAlternative,
    TokenLogprob,
)
from relay.domain.usage import Usage
from tests.support.strategies.texts import json_objects, texts, words

FINISHES: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter", "pause")

OPAQUES: tuple[Opaque, ...] = (
    Opaque(
        origin="anthropic.messages",
        json='{"type":"server_tool_use","id":"srvtoolu_01A","name":"web_search","input":{"query":"1.50 \\u2028"}}',
    ),
    Opaque(
        origin="anthropic.messages",
        json='{"type":"web_search_tool_result","tool_use_id":"srvtoolu_01A","content":[{"type":"web_search_result",'
        '"url":"https://example.org/1","title":"One","encrypted_content":"RXhhbXBsZQ==","page_age":null}]}',
    ),
    Opaque(
        origin="openai.responses",
        json='{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"1.50"}}',
    ),
    Opaque(origin="gemini.generate", json='{"executableCode":{"language":"PYTHON","code":"print(1.50)"}}'),
)
"""What the tools of providers leave in an answer, as they spell it."""

opaques = st.sampled_from(OPAQUES)
seals = st.one_of(st.just(""), st.just(""), words)
SEALING: tuple[DialectName, ...] = ("anthropic.messages", "openai.responses")

_counts = st.integers(0, 200_000)
_logprobs = st.floats(-60, 0, allow_nan=False)
_bytes = st.lists(st.integers(0, 255), max_size=4).map(tuple)


@cache
def usages() -> st.SearchStrategy[Usage]:
    """Reports of every thoroughness; a part never exceeds its total."""
    return st.one_of(
        st.builds(Usage, input_tokens=_counts, output_tokens=_counts),
        st.builds(Usage, output_tokens=_counts),
        st.builds(
            lambda input_tokens, output_tokens, share: Usage(
                input_tokens=input_tokens,
                cache_read_tokens=input_tokens * share // 100,
                cache_write_tokens=input_tokens * (100 - share) // 100,
                input_audio_tokens=0,
                output_tokens=output_tokens,
                output_reasoning_tokens=output_tokens * share // 100,
            ),
            _counts,
            _counts,
            st.integers(0, 100),
        ),
    )


@cache
def logprobs() -> st.SearchStrategy[tuple[TokenLogprob, ...]]:
    """A few tokens with their rivals."""
    rival = st.builds(TokenAlternative, token=texts(max_pieces=1), logprob=_logprobs, bytes=_bytes)
    token = st.builds(
        TokenLogprob,
        token=texts(max_pieces=1),
        logprob=_logprobs,
        bytes=_bytes,
        top=st.lists(rival, max_size=2).map(tuple),
    )
    return st.lists(token, min_size=1, max_size=3).map(tuple)


@cache
def tool_calls(*, nameless: bool = False) -> st.SearchStrategy[list[ToolCall]]:
    """Parallel calls; arguments in awkward but legal JSON, none at all, or cut short.

    Ids may repeat, as those of small models do; with `nameless` some calls have none, as from old Ollama clients.
    """
    arguments = st.one_of(json_objects, st.sampled_from(("", "{}", '{"city": "Köln', '{"n":1.0}')))
    ids = st.one_of(words.map("call_{}".format), st.sampled_from(("call_a", "" if nameless else "call_b")))
    call = st.builds(ToolCall, id=ids, name=words, arguments=arguments, signature=seals)
    return st.lists(call, min_size=1, max_size=3)


@cache
def thoughts(*, min_size: int = 0) -> st.SearchStrategy[Thinking]:
    """Reasoning shown, sealed by nobody known, or under the seal of a dialect, then perhaps not shown at all."""
    shown = texts(min_size=min_size)
    origins = st.sampled_from(SEALING)
    return st.one_of(
        st.builds(Thinking, text=shown, signature=st.one_of(st.just(""), words)),
        st.builds(Thinking, text=shown, signature=words, origin=origins),
        st.builds(Thinking, text=shown, sealed=words, id=words, origin=st.just(SEALING[1])),
        st.builds(Thinking, text=st.just(""), sealed=words, origin=origins),
    )


@cache
def citations() -> st.SearchStrategy[tuple[Citation, ...]]:
    """A few sources, some without a place in the text, some told twice."""
    places = st.one_of(st.just((0, 0)), st.tuples(st.integers(0, 40), st.integers(0, 40)))
    one = st.builds(
        lambda url, title, place: Citation(url=url, title=title, start=place[0], end=place[1]),
        st.sampled_from(("https://example.org/1", "https://example.org/2?q=ß\u2028")),
        st.one_of(st.just(""), texts(max_pieces=1)),
        places,
    )
    return st.one_of(st.just(()), st.just(()), st.lists(one, max_size=3).map(tuple))


@cache
def _parts() -> st.SearchStrategy[tuple[AnswerPart, ...]]:
    text: st.SearchStrategy[AnswerPart] = st.builds(
        Text, text=texts(), citations=citations(), signature=seals
    )
    thinking: st.SearchStrategy[AnswerPart] = thoughts()
    refusal: st.SearchStrategy[AnswerPart] = st.builds(Refusal, text=texts(min_size=1))
    plain = st.tuples(text)
    thoughtful = st.tuples(thinking, text)
    calling = _followed_by_calls(st.lists(st.one_of(thinking, text), max_size=2))
    rambling = st.lists(st.one_of(text, thinking, refusal, opaques), max_size=4)
    mixed = _followed_by_calls(rambling).flatmap(st.permutations)
    shapes = [plain, thoughtful, calling, st.tuples(refusal), rambling.map(tuple), mixed.map(tuple)]
    return st.one_of(shapes)


def _followed_by_calls(
    before: st.SearchStrategy[list[AnswerPart]],
) -> st.SearchStrategy[tuple[AnswerPart, ...]]:
    return st.builds(lambda parts, calls: (*parts, *calls), before, tool_calls())


@cache
def choices(index: int = 0) -> st.SearchStrategy[Choice]:
    """One alternative; the finish word need not fit the parts, as with real providers."""
    return st.builds(
        Choice,
        parts=_parts(),
        finish=st.sampled_from(FINISHES),
        index=st.just(index),
        logprobs=st.one_of(st.just(()), logprobs()),
    )


_ids = st.one_of(st.just(""), words.map("chatcmpl-{}".format))
_models = st.sampled_from(("", "gpt-5-mini", "qwen3:8b", "Org/Modell-ß"))
_times = st.one_of(st.just(0), st.integers(1_600_000_000, 2_000_000_000))


@cache
def responses(*, max_choices: int = 1) -> st.SearchStrategy[ChatResponse]:
    """Whole answers with one to `max_choices` alternatives."""
    counts = [st.tuples(*(choices(index) for index in range(count))) for count in range(1, max_choices + 1)]
    return st.builds(
        ChatResponse,
        id=_ids,
        model=_models,
        created=_times,
        choices=st.one_of(counts),
        usage=st.one_of(st.none(), usages()),
    )
