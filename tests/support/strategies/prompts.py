"""Whole requests of one prompt: with instructions, images, a suffix, without a template, and every setting."""

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from relay.domain.chat import ChatRequest, Completion, Message, Part
from tests.support.strategies.requests import attachments, images, inline_images, requests, text_parts
from tests.support.strategies.texts import texts

_suffixes = texts(min_size=1, max_pieces=2)
completions = st.one_of(
    st.none(),
    st.just(Completion()),
    st.builds(Completion, suffix=_suffixes),
    st.builds(Completion, suffix=_suffixes, raw=st.just(True)),
    st.just(Completion(raw=True)),
)
"""Nothing more than a prompt, or what makes it more."""


@cache
def _asked() -> st.SearchStrategy[Message]:
    plain = st.tuples(text_parts)
    pictured = st.lists(st.one_of(text_parts, inline_images), min_size=1, max_size=3).map(tuple)
    elsewhere = st.tuples(text_parts, images)
    attached = st.tuples(text_parts, attachments)
    parts: st.SearchStrategy[tuple[Part, ...]] = st.one_of(plain, pictured, pictured, elsewhere, attached)
    return st.builds(Message, role=st.just("user"), parts=parts, name=st.sampled_from((None, None, "ann")))


@st.composite
def _prompts(draw: st.DrawFn) -> ChatRequest:
    request = draw(requests)
    told = [message for message in request.messages if message.role in ("system", "developer")]
    completion = draw(completions)
    if completion is not None and completion.raw:
        told = []
    return replace(
        request,
        messages=(*told, *draw(st.lists(_asked(), max_size=1))),
        tools=request.tools if request.tool_choice == "none" else (),
        tool_choice=draw(st.sampled_from((None, request.tool_choice))),
        parallel_tool_calls=None,
        completion=completion,
    )


prompts = _prompts()
