"""Whole requests of one prompt: with instructions, images, a suffix, without a template, and every setting."""

import json
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
    shown = st.tuples(text_parts, inline_images)
    elsewhere = st.tuples(text_parts, images)
    attached = st.tuples(text_parts, attachments)
    parts: st.SearchStrategy[tuple[Part, ...]] = st.one_of(plain, shown, shown, pictured, elsewhere, attached)
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
        messages=(*told, *draw(st.lists(_asked(), min_size=draw(st.sampled_from((1, 1, 0))), max_size=1))),
        tools=request.tools if request.tool_choice == "none" else (),
        tool_choice=draw(st.sampled_from((None, request.tool_choice))),
        parallel_tool_calls=None,
        completion=completion,
    )


prompts = _prompts()

_members = st.fixed_dictionaries(
    {"model": st.sampled_from(("gpt-5-mini", "qwen3:8b")), "prompt": texts()},
    optional={
        "suffix": st.one_of(st.none(), texts(max_pieces=2)),
        "stream": st.sampled_from((None, True, False)),
        "stream_options": st.sampled_from((None, {}, {"include_usage": True, "include_obfuscation": False})),
        "max_tokens": st.one_of(st.none(), st.integers(1, 10_000)),
        "temperature": st.floats(0, 2, allow_nan=False),
        "stop": st.one_of(st.none(), texts(max_pieces=1), st.lists(texts(max_pieces=1), max_size=3)),
        "logprobs": st.sampled_from((None, 0, 3)),
        "n": st.sampled_from((None, 1, 2)),
        "best_of": st.just(1),
        "echo": st.sampled_from((None, False)),
        "logit_bias": st.sampled_from((None, {}, {"50256": -100})),
        "user": st.sampled_from((None, "user-1")),
        "x_unknown": st.sampled_from((None, [], {"a": 1.50})),
    },
)
completion_bodies = _members.map(lambda members: json.dumps(members, ensure_ascii=False).encode())
"""What a client of OpenAI's legacy completions sends."""
