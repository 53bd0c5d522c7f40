"""What of a request and of an answer survives a trip through Ollama's `/api/chat`, and what does not.

`docs/dialects.md` is generated from the sentences; the laws in `tests/contract` hold the codec to the functions.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.ollama_chat import options
from relay.adapters.dialects.ollama_chat.history import settled
from relay.adapters.dialects.ollama_chat.request import NAME
from relay.adapters.dialects.ollama_chat.response import visible
from relay.adapters.dialects.ollama_chat.writing import finite, read_back, shown_count
from relay.domain.chat import (
    ChatRequest,
    DialectName,
    JsonObject,
    JsonSchema,
    JsonText,
    Output,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from relay.domain.events import AnswerPart, ChatResponse, Choice, FinishReason, TokenLogprob
from relay.domain.usage import Usage

POVERTY: tuple[str, ...] = (
    "Only the first choice is carried.",
    "The answer has no id, and its creation time is that of each line.",
    "Thinking, text and tool calls stand in this order, all thinking and all text in one part each.",
    "A refusal becomes text.",
    "What a text cites is left out; the ledger tells so.",
    "Seals of thinking, texts and calls are left out, and parts that only another dialect has a word for.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A tool call without an id is given one.",
    "The finish is stop or length: content filter and pause become stop, and tool_calls is derived from the calls.",
    "The provider's own finish reason is replaced by Ollama's.",
    "Of usage, input and output tokens are carried, and neither when it is 0.",
    "A log probability that is not finite becomes -9999.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "The role developer becomes system; a role Ollama does not list becomes user.",
    "A message has one text: several are joined by line breaks, and images follow it.",
    "A tool result is a message of its own, before whatever else its message holds.",
    "Of a message of role tool nothing but results, text and images is carried.",
    "A result is tied to its call by id, by the tool's name, or in order, and given the call's id and name.",
    "A tool call without an id is given one.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A refusal becomes text.",
    "Seals of thinking, texts and calls, a participant's name and whether a tool failed are left out.",
    "Files, audio, caching marks, and parts and tools that only another dialect has a word for are left out.",
    "A tool that takes plain text becomes a function with one text parameter; its grammar is left out.",
    "The media type of an image is read from its bytes; its detail setting is left out.",
    "A tool's strict mark is left out.",
    "Tool choice is left out, except that none leaves out the tools.",
    "Whether tools may be called in parallel is left out.",
    "The name, description and strict mark of the answer's JSON Schema are left out: Ollama enforces any schema.",
    "Reasoning effort minimal becomes low, and xhigh max; a token budget becomes the nearest effort.",
    "A limit of output tokens that is not positive means none.",
    "The user is left out, and every field only another dialect knows.",
    "Usage needs not be asked for: the last line always has it.",
)

_members = msgspec.json.Decoder(dict[str, Raw])
_encoder = msgspec.json.Encoder()


def norm(response: ChatResponse) -> ChatResponse:
    """The answer that is read back after this one was written."""
    first = next((choice for choice in response.choices if choice.index == 0), None)
    choice = first or Choice(parts=(), finish="stop")
    parts = _parts(choice)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    word = "length" if choice.finish == "length" else "stop"
    finish: FinishReason = "length" if word == "length" else "tool_calls" if has_calls else "stop"
    logprobs = tuple(_logprob(token) for token in choice.logprobs)
    return ChatResponse(
        choices=(Choice(parts=parts, finish=finish, raw_finish=word, logprobs=logprobs),),
        model=response.model,
        usage=_usage(response.usage),
    )


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request that is read after this one was written for a provider."""
    return replace(
        norm_call(NAME, request),
        messages=settled(request.messages),
        tools=() if request.tool_choice == "none" else tuple(_tool(tool) for tool in request.tools),
    )


def norm_call(dialect: DialectName, request: ChatRequest) -> ChatRequest:
    """What is left of any call to Ollama, but for what is said to the model."""
    own = _own_extras(request.extras.get(dialect, {}))
    return ChatRequest(
        model=request.model,
        messages=(),
        sampling=_sampling(request.sampling),
        output=_output(request.output),
        reasoning=None if request.reasoning is None else options.nearest(request.reasoning),
        stream=request.stream,
        extras={dialect: own} if own else {},
    )


def _parts(choice: Choice) -> tuple[AnswerPart, ...]:
    thinking, content, calls = visible(choice.parts)
    parts: list[AnswerPart] = []
    if thinking:
        parts.append(Thinking(text=thinking))
    if content:
        parts.append(Text(text=content))
    return (*parts, *(read_back(index, call) for index, call in enumerate(calls)))


def _logprob(token: TokenLogprob) -> TokenLogprob:
    top = tuple(replace(other, logprob=finite(other.logprob)) for other in token.top)
    return replace(token, logprob=finite(token.logprob), top=top)


def _usage(usage: Usage | None) -> Usage | None:
    if usage is None:
        return None
    kept = Usage(input_tokens=shown_count(usage.input_tokens), output_tokens=shown_count(usage.output_tokens))
    return kept if kept.counts() else None


def _tool(tool: ToolSpec) -> ToolSpec:
    function = as_function(tool)
    return replace(function, parameters=lenient.settled(function.parameters), strict=None, cache=None)


def _sampling(sampling: Sampling) -> Sampling:
    limit = sampling.max_output_tokens
    return replace(sampling, max_output_tokens=limit if limit is not None and limit > 0 else None)


def _output(output: Output | None) -> Output | None:
    if output is None or isinstance(output, JsonObject):
        return output
    return JsonSchema(schema=lenient.settled(output.schema))


def _own_extras(extras: Mapping[str, JsonText]) -> dict[str, JsonText]:
    kept = {name: text.strip() for name, text in extras.items()}
    if "options" in kept:
        members = _members.decode(kept["options"])
        kept["options"] = _encoder.encode(members).decode() if members else "null"
    return {name: lenient.settled(text) for name, text in kept.items() if text != "null"}
