"""Requests from callers: a prompt as what a user says, and a suffix as what only some providers can lead up to."""

from collections.abc import Mapping
from typing import Final

import msgspec

from relay.adapters.dialects import splice
from relay.adapters.dialects.base import Envelope
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.adapters.dialects.openai_chat.wire import NULL, StreamOptions
from relay.adapters.dialects.openai_completions import wire
from relay.domain.chat import ChatRequest, Completion, DialectName, JsonText, Message, Sampling, Text
from relay.domain.errors import InvalidRequest, Unsupported

NAME: Final[DialectName] = "openai.completions"

_peeked = msgspec.json.Decoder(wire.Peeked, strict=False)
_body = msgspec.json.Decoder(wire.CompletionBody, strict=False)
_texts = msgspec.json.Decoder(list[str])
_prompt = msgspec.json.Decoder(str | list[str | int | list[int]])

_KNOWN = frozenset(wire.CompletionBody.__struct_fields__)
_STREAM_OPTIONS = frozenset(StreamOptions.__struct_fields__)
MAX_PROMPTS = 20
_ABSENT = ("null", "[]", "{}")
_OF_CHAT = frozenset({"logit_bias"})
"""Known to OpenAI's chat in the same words, and to no other dialect."""


def peek(body: bytes) -> Envelope:
    """The envelope of a request. Raises `InvalidRequest`."""
    peeked = regular(body, _peeked.decode)
    check_utf8(body)
    if not peeked.model:
        raise _missing("model")
    options = peeked.stream_options
    return Envelope(
        model=peeked.model,
        stream=bool(peeked.stream),
        include_usage=bool(peeked.stream and options is not None and options.include_usage),
        message_bytes=sum(len(text) for text in (peeked.prompt, peeked.suffix) if text != NULL),
    )


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest` or `Unsupported`."""
    check_utf8(body)
    return regular(body, _decoded)


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise _missing("model")
    prompt = _prompt_of(read.prompt)
    _check(read)
    return ChatRequest(
        model=read.model,
        messages=(Message(role="user", parts=(Text(text=prompt),) if prompt else ()),),
        sampling=_sampling(read),
        stream=bool(read.stream),
        include_usage=bool(read.stream and read.stream_options and read.stream_options.include_usage),
        choice_count=read.n or 1,
        user=read.user,
        completion=Completion(suffix=read.suffix) if read.suffix else None,
        extras=_extras(splice.top_level(body)),
    )


def split_prompts(body: bytes) -> list[bytes]:
    """The body once for each of its prompts; alone, as it is, when there are not several, or none that is read.

    Raises `InvalidRequest` for more than `MAX_PROMPTS`.
    """
    try:
        members = regular(body, splice.top_level)
        prompts = _texts.decode(members["prompt"])
    except (InvalidRequest, KeyError, msgspec.MsgspecError):
        return [body]
    if len(prompts) > MAX_PROMPTS:
        raise InvalidRequest(
            f"a request has at most {MAX_PROMPTS} prompts", code="invalid_value", param="prompt"
        )
    if len(prompts) < 2:
        return [body]
    return [splice.assemble({**members, "prompt": splice.raw(prompt)}) for prompt in prompts]


def _prompt_of(raw: msgspec.Raw) -> str:
    if raw == NULL:
        raise _missing("prompt")
    try:
        prompt = _prompt.decode(raw)
    except msgspec.ValidationError:
        raise InvalidRequest(
            "prompt must be a string or a list with one", code="invalid_value", param="prompt"
        ) from None
    if isinstance(prompt, str):
        return prompt
    if any(not isinstance(item, str) for item in prompt):
        raise Unsupported("prompts of token ids are not supported: send the prompt as text", param="prompt")
    match prompt:
        case [str(text)]:
            return text
        case []:
            raise _missing("prompt")
        case _:
            raise Unsupported(
                "several prompts in one request are not supported: send one request for each", param="prompt"
            )


def _check(read: wire.CompletionBody) -> None:
    """What cannot be served is refused: an answer that looks like it would mislead."""
    if read.n is not None and read.n < 1:
        raise InvalidRequest("n must be at least 1", code="invalid_value", param="n")
    if read.logprobs is not None and read.logprobs < 0:
        raise InvalidRequest("logprobs must be at least 0", code="invalid_value", param="logprobs")
    if read.echo:
        raise Unsupported("echo is not supported: put the prompt before the answer yourself", param="echo")
    if read.best_of is not None and read.best_of > 1:
        raise Unsupported(
            "a best_of above 1 is not supported: no provider tells which is best", param="best_of"
        )


def _sampling(read: wire.CompletionBody) -> Sampling:
    """OpenAI's default of 16 tokens is not taken over: without a limit the provider's own counts."""
    stop = [read.stop] if isinstance(read.stop, str) else read.stop or ()
    return Sampling(
        temperature=read.temperature,
        top_p=read.top_p,
        top_k=read.top_k,
        min_p=read.min_p,
        seed=read.seed,
        stop=tuple(text for text in stop if text),
        presence_penalty=read.presence_penalty,
        frequency_penalty=read.frequency_penalty,
        repeat_penalty=read.repetition_penalty,
        max_output_tokens=read.max_tokens,
        logprobs=None if read.logprobs is None else True,
        top_logprobs=read.logprobs or None,
    )


def _extras(members: Mapping[str, msgspec.Raw]) -> dict[DialectName, dict[str, JsonText]]:
    found = {
        name: raw
        for name, raw in members.items()
        if name not in _KNOWN and not splice.is_other_spelling(name)
    }
    if members.get("stream_options", NULL) != NULL:
        inner = splice.top_level(bytes(members["stream_options"]))
        found |= {f"stream_options.{name}": raw for name, raw in inner.items() if name not in _STREAM_OPTIONS}
    extras: dict[DialectName, dict[str, JsonText]] = {}
    for name, raw in found.items():
        if (text := bytes(raw).decode()) not in _ABSENT:
            extras.setdefault("openai.chat" if name in _OF_CHAT else NAME, {})[name] = text
    return extras


def _missing(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"you must provide a {name} parameter", code="missing_required_parameter", param=name
    )
