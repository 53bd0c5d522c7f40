"""What survives a trip through this dialect, and in one sentence each, what does not.

`norm` and `norm_request` say it as functions, `POVERTY` and `REQUEST_POVERTY` in words: nothing may be lost on
the way that is not in both.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_chat.options import effort_of
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.adapters.dialects.openai_responses import options
from relay.adapters.dialects.openai_responses.arranging import arranged
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.ids import ItemIds, response_id
from relay.adapters.dialects.openai_responses.request import EXTRAS
from relay.adapters.dialects.openai_responses.usage import surviving
from relay.adapters.dialects.openai_responses.writing import REASONS
from relay.domain.chat import (
    ChatRequest,
    HostedTool,
    JsonObject,
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
    "The id begins with `resp_`.",
    "Only the first choice is carried.",
    "Empty texts and refusals are left out with what they cite, and thinking that is neither shown nor sealed.",
    "In a stream, parts come in the order in which they began.",
    "Thinking without an id gets one; that of no known dialect loses its seal and is taken for this one's own.",
    "Signatures of texts and calls are left out, and parts that only another dialect has a word for.",
    "A tool call without arguments has the arguments `{}`.",
    "A tool call without an id, or with one that another call of the answer has, gets an id of its own.",
    "The provider's own finish word becomes completed, max_output_tokens or content_filter; `stop` and "
    "`tool_calls` follow from whether tools were called, and a pause is one of them.",
    "A log probability that is not finite becomes -9999; without a text there is none.",
    "Usage keeps input, output, cache reads and writes and reasoning, each 0 if it was not reported; reasoning is "
    "never more than output.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "The first message is the instructions, if it is one text of the system's.",
    "What the model says and does in a row is one message; images and files in it become the user's.",
    "A tool result is a message of its own; it knows its call by the id, and the tool's name by the call.",
    "A result without an id is tied to a call by the tool's name, else by order; a call without an id gets one.",
    "An id of a call that was used before is numbered; one of more than 64 characters is shortened.",
    "Whether a tool failed and a participant's name are left out.",
    "Thinking is left out unless it is sealed by a provider of this dialect.",
    "Empty texts are left out; a call without arguments has the arguments `{}`.",
    "The media type of an inline image is read from its bytes if it is not known, a file's from its data URI.",
    "Caching marks and signatures are left out, and parts and tools that only another dialect knows.",
    "Of content, parts that only this dialect knows are left out where the model has said them.",
    "A tool that is not said to be strict is not; of a namespace only the tools' long names are kept.",
    "Tool choice and parallel tool calls are left out where there are no tools.",
    "Of sampling, temperature, top_p, the limit and log probabilities are carried; several answers are refused.",
    "Reasoning is an effort: a token budget becomes the nearest one, reasoning that is simply on becomes medium.",
    "Usage is told in every stream; answers are never kept by the provider.",
    "Fields that only another dialect knows are left out.",
    "JSON that only passes through loses the white space around it, and its line separators are escaped.",
)


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as it comes back from this dialect."""
    first = next((choice for choice in response.choices if choice.index == 0), None)
    ids = ItemIds(response.id)
    return replace(
        response,
        id=response_id(response.id),
        choices=(_norm_choice(first or Choice(parts=(), finish="stop"), ids),),
        usage=None if response.usage is None else surviving(response.usage),
    )


def _norm_choice(choice: Choice, ids: ItemIds) -> Choice:
    parts = tuple(_norm_parts(choice, ids))
    finish = settled_reason(
        "stop" if choice.finish == "pause" else choice.finish,
        has_calls=any(isinstance(part, ToolCall) for part in parts),
    )
    is_spoken = any(isinstance(part, Text) for part in parts)
    logprobs = tuple(_finite(token) for token in choice.logprobs) if is_spoken else ()
    raw_finish = REASONS.get(choice.finish, "completed")
    return replace(choice, index=0, parts=parts, finish=finish, raw_finish=raw_finish, logprobs=logprobs)


def _norm_parts(choice: Choice, ids: ItemIds) -> Iterator[AnswerPart]:
    for part in choice.parts:
        match part:
            case Text() | Refusal():
                if part.text:
                    yield part if isinstance(part, Refusal) else replace(part, signature="", cache=None)
            case Thinking():
                if part.origin is None and part.text:
                    yield Thinking(text=part.text, id=ids.reasoning(part.id), origin=NAME)
                elif part.origin is not None and (part.text or part.signature or part.sealed):
                    yield replace(part, id=ids.reasoning(part.id))
            case ToolCall():
                arguments = part.arguments or ("" if part.freeform else "{}")
                yield replace(part, id=ids.call(part.id), arguments=arguments, signature="", cache=None)
            case Opaque():
                if part.origin == NAME:
                    yield replace(part, json=settled(part.json))
            case _:
                assert_never(part)


def _finite(token: TokenLogprob) -> TokenLogprob:
    top = tuple(replace(rival, logprob=finite(rival.logprob)) for rival in token.top)
    return replace(token, logprob=finite(token.logprob), top=top)


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request as a provider of this dialect reads it."""
    own = EXTRAS.written(request.extras)
    hosted = dict.fromkeys(settled(tool.json) for tool in request.hosted_tools if tool.origin == NAME)
    has_tools = bool(request.tools or hosted)
    return replace(
        request,
        messages=arranged(request.messages),
        tools=tuple(_norm_tool(tool) for tool in request.tools),
        hosted_tools=tuple(HostedTool(origin=NAME, json=json) for json in hosted),
        tool_choice=request.tool_choice if has_tools else None,
        parallel_tool_calls=request.parallel_tool_calls if has_tools else None,
        sampling=options.surviving(request.sampling),
        output=_norm_output(request.output),
        reasoning=Reasoning(effort=effort_of(request.reasoning)) if request.reasoning else None,
        include_usage=request.stream,
        extras={NAME: own} if own else {},
    )


def _norm_tool(tool: ToolSpec) -> ToolSpec:
    plain = replace(tool, cache=None, namespace="", parameters=settled(tool.parameters))
    if tool.freeform:
        return replace(plain, parameters="", strict=None, format=settled(tool.format))
    return replace(plain, strict=bool(tool.strict), format="")


def _norm_output(output: Output | None) -> Output | None:
    if output is None or isinstance(output, JsonObject):
        return output
    return replace(output, schema=settled(output.schema))
