"""Whole requests: conversations with tools, images and thinking, and every setting a caller can make."""

from base64 import b64encode
from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from relay.domain.chat import (
    EFFORTS,
    Audio,
    CacheTtl,
    ChatRequest,
    DialectName,
    File,
    HostedTool,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Output,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from tests.support.strategies.answers import opaques, seals, thoughts, tool_calls
from tests.support.strategies.texts import json_texts, schemas, texts, words

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
JPEG = b64encode(b"\xff\xd8\xff\xe0" + bytes(16)).decode()

caches: st.SearchStrategy[CacheTtl | None] = st.sampled_from((None, None, None, "5m", "1h"))
text_parts = st.builds(Text, text=texts(min_size=1), cache=caches)
images = st.one_of(
    st.sampled_from((Image(data=PNG, media_type="image/png"), Image(data=JPEG, media_type="image/jpeg"))),
    st.builds(
        Image,
        url=st.just("https://example.com/cat.png?a=1&b=ü"),
        detail=st.sampled_from((None, "low", "high", "auto")),
    ),
)
inline_images = st.sampled_from(
    (Image(data=PNG, media_type="image/png"), Image(data=JPEG, media_type="image/jpeg"))
)
attachments = st.sampled_from(
    (
        Audio(data="UklGRg==", format="wav"),
        File(data="data:application/pdf;base64,JVBERi0=", filename="paper.pdf"),
        File(data="JVBERi0=", media_type="application/pdf", filename="paper.pdf", cache="5m"),
        File(data="SGVsbG8=", media_type="text/plain"),
        File(url="https://example.com/paper.pdf"),
        File(file_id="file-abc123"),
    )
)
HOSTED: tuple[HostedTool, ...] = (
    HostedTool(
        origin="anthropic.messages", json='{"type":"web_search_20250305","name":"web_search","max_uses":5}'
    ),
    HostedTool(origin="openai.responses", json='{"type":"web_search","search_context_size":"low"}'),
    HostedTool(origin="gemini.generate", json='{"googleSearch":{}}'),
)
_hosted_tools = st.one_of(
    st.just(()), st.just(()), st.lists(st.sampled_from(HOSTED), max_size=2, unique=True).map(tuple)
)


@cache
def tool_specs() -> st.SearchStrategy[tuple[ToolSpec, ...]]:
    """A few tools with distinct names and real schemas, some without description or parameters."""
    spec = st.builds(
        ToolSpec,
        name=words,
        description=st.one_of(st.none(), texts(min_size=1, max_pieces=2)),
        parameters=st.one_of(st.just(""), schemas),
        strict=st.sampled_from((None, None, True, False)),
        cache=caches,
    )
    freeform = st.builds(
        ToolSpec,
        name=words,
        description=st.just("Takes text."),
        freeform=st.just(True),
        format=st.sampled_from(("", '{"type":"grammar","syntax":"regex","definition":"a+"}')),
    )
    return st.lists(
        st.one_of(spec, spec, spec, freeform), min_size=1, max_size=3, unique_by=lambda each: each.name
    ).map(tuple)


@st.composite
def _tool_turns(draw: st.DrawFn) -> list[Message]:
    calls = [_perhaps_freeform(call) for call in draw(tool_calls(nameless=True))]
    before = draw(_spoken_before_calls)
    results = [
        ToolResult(
            call_id=call.id,
            name=draw(st.sampled_from((call.name, call.name, ""))),
            parts=draw(_result_parts()),
            is_error=draw(st.booleans()),
            cache=draw(caches),
        )
        for call in draw(st.permutations(calls))
    ]
    return [
        Message(role="assistant", parts=(*before, *calls)),
        *(Message(role="tool", parts=(result,)) for result in results),
    ]


def _perhaps_freeform(call: ToolCall) -> ToolCall:
    """A call whose arguments are no JSON may be one of a tool that takes plain text."""
    return replace(call, freeform=True) if call.arguments.endswith("Köln") else call


@cache
def _result_parts() -> st.SearchStrategy[tuple[Text | Image | File, ...]]:
    words_only = st.builds(lambda text: (Text(text=text),), texts())
    filed = st.builds(lambda text: (text, File(data="JVBERi0=", media_type="application/pdf")), text_parts)
    return st.one_of(words_only, words_only, st.tuples(text_parts, inline_images), filed, st.just(()))


_said = st.builds(Text, text=texts(min_size=1), cache=caches, signature=seals)
_spoken_before_calls: st.SearchStrategy[list[Part]] = st.lists(
    st.one_of(thoughts(min_size=1), thoughts(min_size=1), _said, _said, opaques), max_size=2
)
tool_turns = _tool_turns()
"""The model calls tools, possibly thinking or speaking first, and the results come back in any order."""


@cache
def _user_turns() -> st.SearchStrategy[list[Message]]:
    plain = st.tuples(text_parts)
    pictured = st.lists(st.one_of(text_parts, images), min_size=1, max_size=3).map(tuple)
    attached = st.tuples(text_parts, attachments)
    parts: st.SearchStrategy[tuple[Part, ...]] = st.one_of(plain, plain, pictured, attached)
    return st.builds(
        Message, role=st.just("user"), parts=parts, name=st.sampled_from((None, None, "ann"))
    ).map(lambda message: [message])


@cache
def _assistant_turns() -> st.SearchStrategy[list[Message]]:
    refused = st.builds(Refusal, text=texts(min_size=1))
    parts: st.SearchStrategy[tuple[Part, ...]] = st.one_of(
        st.tuples(text_parts),
        st.tuples(thoughts(min_size=1), text_parts),
        st.tuples(thoughts(min_size=1), text_parts),
        st.tuples(refused),
        st.tuples(opaques, _said),
    )
    return st.builds(Message, role=st.just("assistant"), parts=parts).map(lambda message: [message])


@cache
def _instructions() -> st.SearchStrategy[list[Message]]:
    parts = st.lists(text_parts, min_size=1, max_size=2).map(tuple)
    return st.builds(Message, role=st.sampled_from(("system", "developer")), parts=parts).map(
        lambda message: [message]
    )


@cache
def conversations() -> st.SearchStrategy[tuple[Message, ...]]:
    """Instructions at the start and anywhere later, user and assistant turns, tool rounds."""
    said = _assistant_turns()
    turn = st.one_of(_user_turns(), said, said, tool_turns, tool_turns, _instructions())
    return st.builds(
        lambda first, user, turns: tuple(message for part in (*first, user, *turns) for message in part),
        st.lists(_instructions(), max_size=2),
        _user_turns(),
        st.lists(turn, max_size=4),
    )


@cache
def samplings() -> st.SearchStrategy[Sampling]:
    """Any subset of the settings."""
    unit = st.floats(0, 1, allow_nan=False)
    logprobs = st.sampled_from(((None, None), (None, None), (True, None), (True, 3), (False, None)))
    return st.builds(
        lambda pair, **settings: Sampling(logprobs=pair[0], top_logprobs=pair[1], **settings),
        logprobs,
        temperature=_maybe(st.floats(0, 2, allow_nan=False)),
        top_p=_maybe(unit),
        top_k=_maybe(st.integers(1, 100)),
        min_p=_maybe(unit),
        seed=_maybe(st.integers(-(2**63), 2**63 - 1)),
        stop=st.lists(texts(min_size=1, max_pieces=1), max_size=3).map(tuple),
        presence_penalty=_maybe(st.floats(-2, 2, allow_nan=False)),
        frequency_penalty=_maybe(st.floats(-2, 2, allow_nan=False)),
        repeat_penalty=_maybe(st.floats(0.5, 2, allow_nan=False)),
        max_output_tokens=_maybe(st.integers(1, 100_000)),
    )


def _maybe[T](values: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.one_of(st.none(), st.none(), values)


@cache
def outputs() -> st.SearchStrategy[Output | None]:
    """Free text mostly, any JSON, or JSON by a schema."""
    schema = st.builds(JsonSchema, schema=schemas, name=words, strict=st.sampled_from((None, True, False)))
    return st.one_of(st.none(), schema, st.just(JsonObject()))


@cache
def reasonings() -> st.SearchStrategy[Reasoning | None]:
    """Unsaid, off, by effort, by budget, or simply on."""
    return st.one_of(
        st.none(),
        st.none(),
        st.builds(Reasoning, effort=st.sampled_from(EFFORTS)),
        st.builds(Reasoning, budget_tokens=st.integers(1024, 32_000)),
        st.just(Reasoning()),
    )


@cache
def extras() -> st.SearchStrategy[dict[DialectName, dict[str, str]]]:
    """Fields that only one dialect knows."""
    fields = st.dictionaries(words.map("x_{}".format), json_texts, max_size=2)
    names: st.SearchStrategy[DialectName] = st.sampled_from(("openai.chat", "ollama.chat"))
    return st.dictionaries(names, fields, max_size=2)


_models = st.sampled_from(("gpt-5-mini", "qwen3:8b", "Org/Modell-ß"))
_tool_lists = st.one_of(st.just(()), tool_specs())
_sampling = st.one_of(st.just(Sampling()), samplings())
_maybe_flag = st.sampled_from((None, True, False))
_choice_counts = st.sampled_from((1, 1, 1, 1, 1, 3))
_users = st.sampled_from((None, None, "user-1"))


@st.composite
def _requests(draw: st.DrawFn) -> ChatRequest:
    tools = draw(_tool_lists)
    choices = [None, None, "auto", "none", "required", *(NamedTool(name=tool.name) for tool in tools)]
    stream = draw(st.booleans())
    return ChatRequest(
        model=draw(_models),
        messages=draw(conversations()),
        tools=tools,
        hosted_tools=draw(_hosted_tools),
        tool_choice=draw(st.sampled_from(choices)) if tools else None,
        parallel_tool_calls=draw(_maybe_flag) if tools else None,
        sampling=draw(_sampling),
        output=draw(outputs()),
        reasoning=draw(reasonings()),
        stream=stream,
        include_usage=stream,
        choice_count=draw(_choice_counts),
        user=draw(_users),
        extras=draw(extras()),
    )


requests = _requests()
"""Whole requests; a tool choice only where there are tools."""
