"""What survives a trip through this dialect, and in one sentence each, what does not.

`norm` and `norm_request` say it as functions, `POVERTY` and `REQUEST_POVERTY` in words: nothing may be lost on the
way that is not in both. The encoders build on the same functions, so that they cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

import msgspec

from relay.adapters.dialects.cohere_v2 import options
from relay.adapters.dialects.cohere_v2.messages import arranged
from relay.adapters.dialects.cohere_v2.reading import NAME
from relay.adapters.dialects.cohere_v2.request import EXTRAS
from relay.adapters.dialects.cohere_v2.usage import usage_in, written
from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.ollama_chat.calls import made_id
from relay.adapters.dialects.openai_chat.citations import joined
from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.domain.chat import ChatRequest, JsonSchema, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import AnswerPart, ChatResponse, Choice, FinishReason, TokenLogprob
from relay.domain.usage import Usage

POVERTY: tuple[str, ...] = (
    "Only the first choice is carried.",
    "The answer has neither a model nor a creation time.",
    "Empty texts and thoughts are left out, and what they cite.",
    "A text cites each source at each place once.",
    "Before tool calls, thoughts come first, then all texts as one plan.",
    "A refusal becomes text.",
    "Seals are left out, and parts that only another dialect has a word for.",
    "A tool call without an id is given one.",
    "The finish is COMPLETE, MAX_TOKENS or TOOL_CALL: a content filter and a pause become one of the others.",
    "The provider's own finish word is replaced by Cohere's.",
    "Log probabilities have neither bytes nor rivals; one that is not finite becomes -9999.",
    "Usage keeps input, cache reads, image input, output and reasoning; a part is never more than its whole.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "The role developer becomes system; a participant's name is left out.",
    "A tool result is a message of its own; it knows its call by the id, and the tool's name by the call.",
    "A result without an id is tied to a call by the tool's name, else by order; a call without an id gets one.",
    "An id of a call that was used before is numbered; one of more than 64 characters is shortened.",
    "Images in tool results follow in a user message after the results.",
    "Whether a tool failed is left out.",
    "A tool message holds nothing but its result: what else its message held becomes a user message.",
    "An assistant's thinking is one text, and that of another dialect is left out.",
    "Before tool calls, an assistant's texts are one plan; calls come last, without arguments with `{}`.",
    "A refusal becomes text; empty texts and messages are left out.",
    "Files and audio are left out.",
    "The media type of an inline image is read from its bytes if it is not known.",
    "Caching marks and seals are left out, and parts and tools that only another dialect knows.",
    "A tool that takes plain text becomes a function with one text parameter; its grammar is left out.",
    "Tools are strict all together or not at all; their namespaces are left out.",
    "One tool that must be called is the only one sent; tool choice auto is left out, and any without tools.",
    "Whether tools may be called in parallel is left out, and the user.",
    "The name, description and strict mark of the answer's JSON Schema are left out.",
    "Settings of sampling are brought within Cohere's bounds; `min_p`, `repeat_penalty`, `top_logprobs`, a seed "
    "below 0, empty stop texts and more than five are left out.",
    "How much to think becomes a budget of tokens, and is left out where a model does not think.",
    "Usage needs not be asked for: every stream has it.",
    "Fields that only another dialect knows are left out.",
    "JSON that only passes through loses the white space around it.",
)

_NOTHING = Choice(parts=(), finish="stop")


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as it comes back from this dialect."""
    return ChatResponse(
        id=response.id,
        choices=(norm_choice(first_choice(response), response.id),),
        usage=None if response.usage is None else _usage(response.usage),
    )


def first_choice(response: ChatResponse) -> Choice:
    """The one that is carried."""
    return next((choice for choice in response.choices if choice.index == 0), _NOTHING)


def norm_choice(choice: Choice, answer_id: str) -> Choice:
    """The choice as it comes back; `answer_id` is what ids of calls are made from."""
    parts = _in_order(list(_kept(choice.parts)))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    finish: FinishReason = "length" if choice.finish == "length" else "stop"
    word = "MAX_TOKENS" if finish == "length" else "TOOL_CALL" if has_calls else "COMPLETE"
    return Choice(
        parts=tuple(_with_ids(parts, answer_id)),
        finish=settled_reason(finish, has_calls=has_calls),
        raw_finish=word,
        logprobs=tuple(
            TokenLogprob(token=token.token, logprob=finite(token.logprob)) for token in choice.logprobs
        ),
    )


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request as a provider of this dialect reads it."""
    own = EXTRAS.written(request.extras)
    tools = options.norm_tools(request)
    output = request.output
    return replace(
        request,
        messages=arranged(request.messages),
        tools=tools,
        hosted_tools=(),
        tool_choice=options.norm_tool_choice(request.tool_choice) if tools else None,
        parallel_tool_calls=None,
        sampling=options.norm_sampling(request.sampling),
        output=JsonSchema(schema=settled(output.schema)) if isinstance(output, JsonSchema) else output,
        reasoning=options.norm_reasoning(request.reasoning, request.model),
        include_usage=request.stream,
        user=None,
        extras={NAME: own} if own else {},
    )


def _kept(parts: Sequence[AnswerPart]) -> Iterator[AnswerPart]:
    for part in parts:
        match part:
            case Text(text=text):
                if text:
                    yield Text(text=text, citations=tuple(dict.fromkeys(part.citations)))
            case Refusal(text=text):
                if text:
                    yield Text(text=text)
            case Thinking(text=text):
                if text:
                    yield Thinking(text=text, origin=NAME)
            case ToolCall():
                yield replace(as_json(part), signature="", cache=None)
            case Opaque():
                pass
            case _:
                assert_never(part)


def _in_order(parts: list[AnswerPart]) -> list[AnswerPart]:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    if not calls:
        return parts
    texts = [part for part in parts if isinstance(part, Text)]
    plan = Text(text="".join(part.text for part in texts), citations=joined(texts))
    return [*(part for part in parts if isinstance(part, Thinking)), *([plan] if texts else []), *calls]


def _with_ids(parts: list[AnswerPart], answer_id: str) -> Iterator[AnswerPart]:
    call_count = 0
    for part in parts:
        if isinstance(part, ToolCall):
            call_count += 1
            yield replace(part, id=part.id or made_id(answer_id, call_count))
        else:
            yield part


def _usage(usage: Usage) -> Usage | None:
    return usage_in(msgspec.Raw(msgspec.json.encode(written(usage))))
