"""What each dialect can say, tried out: every feature written down and read back, by the norms the laws hold to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from relay.domain.chat import (
    Audio,
    ChatRequest,
    Citation,
    Completion,
    DialectName,
    File,
    HostedTool,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import Unsupported
from relay.domain.events import ChatResponse, Choice, FinishReason, TokenLogprob
from relay.domain.usage import Usage

CARRIED, LOST, REFUSED = "●", "○", "✕"

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_PDF = "JVBERi0xLjQK"
_HELLO = Message(role="user", parts=(Text(text="hi"),))
_CALL = ToolCall(id="call_1", name="f", arguments='{"n":1}')


@dataclass(frozen=True, slots=True)
class Feature[Value]:
    """Something that can be said: `said` has it, and `seen` finds it again in what is left of that."""

    name: str
    said: Value
    seen: Callable[[Value], object]


type Signs = Mapping[str, str]
"""What each dialect does with a feature."""


def request_rows() -> dict[str, Signs]:
    """Each feature of requests, and what the dialects of providers do with it."""
    return {feature.name: {name: _written(name, feature) for name in DIALECTS} for feature in _REQUESTS}


def answer_rows() -> dict[str, Signs]:
    """Each feature of answers, and what the dialects of clients do with it."""
    return {
        feature.name: {name: _answered(name, feature) for name in CLIENT_DIALECTS} for feature in _ANSWERS
    }


def pairs() -> Iterator[tuple[str, str, list[str], list[str]]]:
    """Each client with each provider of another dialect: what of a request is lost between them, what refused."""
    rows = request_rows()
    for client in DIALECTS:
        sayable = [feature for feature, signs in rows.items() if signs[client] == CARRIED]
        for provider in DIALECTS:
            if provider != client:
                lost = [feature for feature in sayable if rows[feature][provider] == LOST]
                refused = [feature for feature in sayable if rows[feature][provider] == REFUSED]
                yield client, provider, lost, refused


def _written(name: DialectName, feature: Feature[ChatRequest]) -> str:
    try:
        DIALECTS[name].encode_request(feature.said)
    except Unsupported:
        return REFUSED
    seen = feature.seen(_module(name).norm_request(feature.said))
    return CARRIED if seen == feature.seen(feature.said) else LOST


def _answered(name: DialectName, feature: Feature[ChatResponse]) -> str:
    seen = feature.seen(_module(name).norm(feature.said))
    return CARRIED if seen == feature.seen(feature.said) else LOST


def _module(name: DialectName) -> Any:  # each has its norms
    return import_module(f"relay.adapters.dialects.{name.replace('.', '_')}.norm")


def _asking(*messages: Message, **fields: Any) -> ChatRequest:
    return replace(ChatRequest(model="m", messages=messages or (_HELLO,)), **fields)


def _user(part: Part) -> ChatRequest:
    return _asking(Message(role="user", parts=(Text(text="look"), part)))


def _loop(*parts: Part, result: ToolResult) -> ChatRequest:
    return _asking(
        _HELLO,
        Message(role="assistant", parts=(*parts, _CALL)),
        Message(role="tool", parts=(result,)),
        tools=(_TOOL,),
    )


def _result(*parts: Text | Image | File, is_error: bool = False) -> ToolResult:
    return ToolResult(call_id="call_1", name="f", parts=parts or (Text(text="4"),), is_error=is_error)


def _parts(request: ChatRequest) -> Iterator[Part]:
    for message in request.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.parts


def _has(kind: type[Part]) -> Callable[[ChatRequest], object]:
    return lambda request: any(isinstance(part, kind) for part in _parts(request))


def _sampled(name: str, value: object) -> Feature[ChatRequest]:
    changed: dict[str, Any] = {name: value}
    said = _asking(sampling=Sampling(**changed))
    return Feature(name, said, lambda request: getattr(request.sampling, name))


def _schema_of(request: ChatRequest) -> object:
    return isinstance(request.output, JsonSchema)


_TOOL = ToolSpec(name="f", description="adds", parameters='{"type":"object","properties":{}}')
_INLINE = Image(data=_PIXEL, media_type="image/png")
_SCHEMA = JsonSchema(schema='{"type":"object","properties":{}}', name="sum", strict=True, description="d")

_REQUESTS: tuple[Feature[ChatRequest], ...] = (
    Feature(
        "instructions",
        _asking(Message(role="system", parts=(Text(text="be brief"),)), _HELLO),
        lambda request: "be brief" in str(request.messages),
    ),
    Feature(
        "name of a participant",
        _asking(replace(_HELLO, name="ada")),
        lambda request: any(message.name for message in request.messages),
    ),
    Feature("image, inline", _user(_INLINE), _has(Image)),
    Feature("image, by address", _user(Image(url="https://example.org/a.png")), _has(Image)),
    Feature(
        "image, detail",
        _user(replace(_INLINE, detail="high")),
        lambda request: [part.detail for part in _parts(request) if isinstance(part, Image)],
    ),
    Feature("audio", _user(Audio(data="UklGRg==", format="wav")), _has(Audio)),
    Feature(
        "file, inline", _user(File(data=_PDF, filename="a.pdf", media_type="application/pdf")), _has(File)
    ),
    Feature("file, by address", _user(File(url="https://example.org/a.pdf")), _has(File)),
    Feature("tools", _asking(tools=(_TOOL,)), lambda request: [tool.name for tool in request.tools]),
    Feature(
        "tools, strict",
        _asking(tools=(replace(_TOOL, strict=True),)),
        lambda request: [tool.strict for tool in request.tools],
    ),
    Feature(
        "tools of plain text",
        _asking(tools=(ToolSpec(name="f", freeform=True),)),
        lambda request: [tool.freeform for tool in request.tools],
    ),
    Feature(
        "tools of the provider's own, of another dialect",
        _asking(hosted_tools=(HostedTool(origin="openai.completions", json='{"type":"search"}'),)),
        lambda request: request.hosted_tools,
    ),
    Feature(
        "tool choice: required",
        _asking(tools=(_TOOL,), tool_choice="required"),
        lambda request: request.tool_choice,
    ),
    Feature(
        "tool choice: one",
        _asking(tools=(_TOOL,), tool_choice=NamedTool(name="f")),
        lambda request: request.tool_choice,
    ),
    Feature(
        "one tool at a time",
        _asking(tools=(_TOOL,), parallel_tool_calls=False),
        lambda request: request.parallel_tool_calls,
    ),
    Feature("tool results", _loop(result=_result()), _has(ToolResult)),
    Feature("image in a tool's result", _loop(result=_result(_INLINE)), _has(Image)),
    Feature(
        "tool result, failed",
        _loop(result=_result(is_error=True)),
        lambda request: any(isinstance(part, ToolResult) and part.is_error for part in _parts(request)),
    ),
    Feature(
        "past thoughts", _loop(Thinking(text="hm"), result=_result()), lambda request: "hm" in str(request)
    ),
    Feature("JSON", _asking(output=JsonObject()), lambda request: request.output),
    Feature("JSON of a schema", _asking(output=_SCHEMA), _schema_of),
    Feature(
        "schema, strict",
        _asking(output=_SCHEMA),
        lambda request: request.output.strict if isinstance(request.output, JsonSchema) else None,
    ),
    _sampled("temperature", 0.5),
    _sampled("top_p", 0.5),
    _sampled("top_k", 5),
    _sampled("min_p", 0.1),
    _sampled("seed", 7),
    _sampled("stop", ("END",)),
    _sampled("presence_penalty", 0.5),
    _sampled("frequency_penalty", 0.5),
    _sampled("repeat_penalty", 1.1),
    _sampled("max_output_tokens", 64),
    _sampled("top_logprobs", 2),
    Feature(
        "reasoning, effort", _asking(reasoning=Reasoning(effort="high")), lambda request: request.reasoning
    ),
    Feature(
        "reasoning, budget of tokens",
        _asking(reasoning=Reasoning(budget_tokens=2048)),
        lambda request: request.reasoning and request.reasoning.budget_tokens,
    ),
    Feature("several answers", _asking(choice_count=2), lambda request: request.choice_count),
    Feature("user", _asking(user="u-1"), lambda request: request.user),
    Feature(
        "text that follows (fill in the middle)",
        _asking(completion=Completion(suffix="}")),
        lambda request: request.completion,
    ),
)


def _answer(*parts: Text | Thinking | Refusal | ToolCall, usage: Usage | None = None) -> ChatResponse:
    return ChatResponse(choices=(Choice(parts=parts or (Text(text="ok"),), finish="stop"),), usage=usage)


def _finishing(finish: FinishReason) -> ChatResponse:
    return replace(_answer(), choices=(replace(_answer().choices[0], finish=finish),))


def _of_kind(kind: type[Part], *names: str) -> Callable[[ChatResponse], object]:
    def seen(response: ChatResponse) -> object:
        return [
            tuple(getattr(part, name) for name in names)
            for part in response.choices[0].parts
            if isinstance(part, kind)
        ]

    return seen


def _counted(name: str, count: int) -> Feature[ChatResponse]:
    usage = Usage.from_counts({"input_tokens": 9, "output_tokens": 5, name: count})
    label = f"usage: {name}"
    return Feature(label, _answer(usage=usage), lambda said: said.usage and getattr(said.usage, name))


_TOKEN = TokenLogprob(token="ok", logprob=-0.5)
_CITED = Text(text="ok", citations=(Citation(url="https://example.org", title="t", start=0, end=2),))

_ANSWERS: tuple[Feature[ChatResponse], ...] = (
    Feature("thoughts", _answer(Thinking(text="hm"), Text(text="ok")), _of_kind(Thinking, "text")),
    Feature("refusal, apart from text", _answer(Refusal(text="no")), _of_kind(Refusal, "text")),
    Feature("tool calls", _answer(_CALL), _of_kind(ToolCall, "name", "arguments")),
    Feature("tool calls, id", _answer(_CALL), _of_kind(ToolCall, "id")),
    Feature("sources", _answer(_CITED), _of_kind(Text, "citations")),
    Feature(
        "log probabilities",
        replace(_answer(), choices=(replace(_answer().choices[0], logprobs=(_TOKEN,)),)),
        lambda said: [token.logprob for token in said.choices[0].logprobs],
    ),
    Feature(
        "several answers",
        replace(_answer(), choices=(_answer().choices[0], replace(_answer().choices[0], index=1))),
        lambda said: len(said.choices),
    ),
    Feature("finish: length", _finishing("length"), lambda said: said.choices[0].finish),
    Feature("finish: content filter", _finishing("content_filter"), lambda said: said.choices[0].finish),
    Feature("finish: pause", _finishing("pause"), lambda said: said.choices[0].finish),
    _counted("input_tokens", 9),
    _counted("output_tokens", 5),
    _counted("cache_read_tokens", 3),
    _counted("cache_write_tokens", 2),
    _counted("output_reasoning_tokens", 4),
)
