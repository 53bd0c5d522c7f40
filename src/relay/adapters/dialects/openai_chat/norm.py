"""What survives a trip through this dialect, and in one sentence each, what does not.

`norm` and `norm_request` say it as functions, `POVERTY` and `REQUEST_POVERTY` in words: nothing may be lost on
the way that is not in both. The encoders build on the same merging, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import assert_never

from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.openai_chat.arranging import arranged
from relay.adapters.dialects.openai_chat.citations import joined
from relay.adapters.dialects.openai_chat.ids import DistinctIds, completion_id
from relay.adapters.dialects.openai_chat.options import effort_of
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.adapters.dialects.openai_chat.reasoning_details import joined_seal
from relay.adapters.dialects.openai_chat.request import EXTRAS, NAME
from relay.adapters.dialects.openai_chat.usage import surviving
from relay.domain.chat import (
    ChatRequest,
    Citation,
    DialectName,
    JsonObject,
    JsonText,
    Opaque,
    Output,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from relay.domain.events import AnswerPart, ChatResponse, Choice, TokenLogprob

POVERTY: tuple[str, ...] = (
    "The id begins with `chatcmpl-`.",
    "Each choice has one text, one piece of thinking and one refusal: several are joined without a separator.",
    "Their order is lost: thinking comes first, then text, refusal and tool calls.",
    "Empty texts, thinking and refusals are left out.",
    "Of what a text cites, addresses with title and place are kept, each once; an empty text cites nothing.",
    "Seals of thinking, texts and calls are left out, but for those of this dialect that are a list of "
    "`reasoning_details`; so are parts that only another dialect has a word for.",
    "A tool call without arguments has the arguments `{}`.",
    "A tool call without an id, or with one that another call of the answer has, gets an id of its own.",
    "The provider's own finish word is left out; `stop` and `tool_calls` follow from whether tools were called, "
    "and a pause is one of them.",
    "A log probability that is not finite becomes -9999.",
    "Usage keeps input, output, cache reads and writes, audio, image and video input, reasoning, audio and image "
    "output; input or output that was not reported reads 0; reasoning is never more than output.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "A tool result is a message of its own; it knows its call by the id, and the tool's name by the call.",
    "A result without an id is tied to a call by the tool's name, else by order; a call without an id gets one.",
    "An id of a call that was used before is numbered; one of more than 64 characters is shortened.",
    "Images and files in tool results follow in a user message after the results.",
    "Whether a tool failed is left out.",
    "A tool message holds nothing but its result: what else its message held becomes a user message.",
    "An assistant's thinking is one text, and so is a refusal; calls come last. Of its seals, those of this "
    "dialect that are a list of `reasoning_details` are kept.",
    "Empty texts are left out; a call without arguments has the arguments `{}`.",
    "The media type of an inline image is read from its bytes if it is not known, a file's from its data URI.",
    "Caching marks and Gemini's signatures are left out, and parts and tools that only another dialect knows.",
    "A tool that takes plain text becomes a function with one text parameter; its grammar is left out.",
    "A file that is elsewhere is refused.",
    "Tool choice and parallel tool calls are left out where there are no tools.",
    "Empty stop texts are left out.",
    "Reasoning is an effort: a token budget becomes the nearest one, reasoning that is simply on becomes medium.",
    "Usage is asked for in every stream and in nothing else.",
    "Fields that only another dialect knows are left out, and members that a known object should not have.",
    "JSON that only passes through loses the white space around it, and its line separators are escaped.",
    "Members of messages, content parts and tools that the codec does not know are left out.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedParts:
    """The parts of an answer as a message of this dialect holds them; empty texts are absent ones.

    `seal` is that of the thinking, `None` where it is of another dialect or of none.
    """

    thinking: str
    text: str
    refusal: str
    calls: tuple[ToolCall, ...]
    citations: tuple[Citation, ...] = ()
    seal: JsonText | None = None


def merged(parts: Sequence[AnswerPart]) -> MergedParts:
    """Parts joined by kind."""
    thinking, text, refusal, calls = "", "", "", list[ToolCall]()
    for part in parts:
        match part:
            case Thinking():
                thinking += part.text
            case Text():
                text += part.text
            case Refusal():
                refusal += part.text
            case ToolCall():
                calls.append(ToolCall(id=part.id, name=part.name, arguments=part.arguments or "{}"))
            case Opaque():
                pass
            case _:
                assert_never(part)
    citations = joined(part for part in parts if isinstance(part, Text))
    own = [part for part in parts if isinstance(part, Thinking) and part.origin == NAME]
    return MergedParts(
        thinking=thinking,
        text=text,
        refusal=refusal,
        calls=tuple(calls),
        citations=citations,
        seal=joined_seal(own) if own else None,
    )


def finite(logprob: float) -> float:
    """A number that JSON has: -9999 is OpenAI's own word for a token that is all but impossible."""
    return logprob if isfinite(logprob) else -9999.0


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as it comes back from this dialect."""
    return replace(
        response,
        id=completion_id(response.id),
        choices=tuple(_norm_choice(choice) for choice in response.choices),
        usage=None if response.usage is None else surviving(response.usage),
    )


def _norm_choice(choice: Choice) -> Choice:
    said = merged(choice.parts)
    parts: list[AnswerPart] = []
    if said.thinking or said.seal:
        origin: DialectName | None = None if said.seal is None else NAME
        parts.append(Thinking(text=said.thinking, sealed=said.seal or "", origin=origin))
    if said.text:
        parts.append(Text(text=said.text, citations=said.citations))
    if said.refusal:
        parts.append(Refusal(text=said.refusal))
    ids = DistinctIds()
    parts += [replace(call, id=call.id and ids.of(call.id)) for call in said.calls]
    finish = settled_reason(choice.finish, has_calls=bool(said.calls))
    logprobs = tuple(_finite(token) for token in choice.logprobs)
    return replace(choice, parts=tuple(parts), finish=finish, raw_finish=finish, logprobs=logprobs)


def _finite(token: TokenLogprob) -> TokenLogprob:
    top = tuple(replace(rival, logprob=finite(rival.logprob)) for rival in token.top)
    return replace(token, logprob=finite(token.logprob), top=top)


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request as a provider of this dialect reads it."""
    own = EXTRAS.written(request.extras)
    has_tools = bool(request.tools) or "tools" in own
    sampling = request.sampling
    return replace(
        request,
        messages=arranged(request.messages),
        tools=tuple(_norm_tool(tool) for tool in request.tools),
        hosted_tools=(),
        tool_choice=request.tool_choice if has_tools else None,
        parallel_tool_calls=request.parallel_tool_calls if has_tools else None,
        sampling=replace(sampling, stop=tuple(text for text in sampling.stop if text)),
        output=_norm_output(request.output),
        reasoning=Reasoning(effort=effort_of(request.reasoning)) if request.reasoning else None,
        include_usage=request.stream,
        extras={NAME: own} if own else {},
    )


def _norm_tool(tool: ToolSpec) -> ToolSpec:
    function = as_function(tool)
    return replace(function, parameters=settled(function.parameters), cache=None)


def _norm_output(output: Output | None) -> Output | None:
    if output is None or isinstance(output, JsonObject):
        return output
    return replace(output, schema=settled(output.schema))
