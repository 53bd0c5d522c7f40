"""What survives a trip through this dialect, and in one sentence each, what does not.

`norm` and `norm_request` say it as functions, `POVERTY` and `REQUEST_POVERTY` in words: nothing may be lost on the
way that is not in both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

import msgspec

from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.gemini_generate import options
from relay.adapters.dialects.gemini_generate.arranging import arranged
from relay.adapters.dialects.gemini_generate.families import family_of
from relay.adapters.dialects.gemini_generate.grounding import ordered
from relay.adapters.dialects.gemini_generate.reading import NAME, settled_reason
from relay.adapters.dialects.gemini_generate.request import EXTRAS
from relay.adapters.dialects.gemini_generate.schemas import fitting_schema
from relay.adapters.dialects.gemini_generate.usage import usage_in, written
from relay.adapters.dialects.ollama_chat.calls import made_id, object_text
from relay.adapters.dialects.openai_chat.citations import joined
from relay.adapters.dialects.openai_chat.norm import finite
from relay.domain.chat import ChatRequest, JsonSchema, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    FinishReason,
    TokenAlternative,
    TokenLogprob,
)
from relay.domain.usage import Usage

POVERTY: tuple[str, ...] = (
    "The answer has no creation time.",
    "Texts in a row are joined, and so are thoughts, unless one has a signature; empty ones are left out.",
    "A refusal becomes text.",
    "Of what texts cite, addresses with title and place are kept, each once, with the first text.",
    "Seals of other dialects' thinking are left out, and parts that only another dialect has a word for.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A tool call without an id is given one.",
    "The finish is STOP, MAX_TOKENS, SAFETY or CONTINUATION; `stop` and `tool_calls` follow from the calls.",
    "The provider's own finish word is replaced by Gemini's.",
    "Log probabilities have no bytes; one that is not finite becomes -9999.",
    "Usage keeps input, what tools added to it, cache reads, audio, image and video input, output, reasoning, "
    "audio and image output; reasoning is never more than output.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "Instructions at the beginning are one message of the role system; later ones are what a user says.",
    "Messages of one side that follow one another are one; a conversation begins with a user.",
    "A tool result is a message of its own at the beginning of its turn, with one text.",
    "A result is tied to its call by id, by the tool's name, or in order, and given the call's id and name.",
    "A result that answers no call of the turn before is what the user says; a call without one gets one.",
    "An id of a call that was used before is numbered; one of more than 64 characters is shortened.",
    "A tool call without an id is given one.",
    "Images and files in tool results follow in the turn where a model takes none there.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A refusal becomes text.",
    "Thinking that is not Gemini's own is left out, and parts and tools that only another dialect knows.",
    "A file that another provider keeps is refused; a file's name is left out.",
    "What is inline is an image, audio or a file by its media type, what is elsewhere an image or a file; the "
    "type of an address is guessed from its end.",
    "An image's detail setting, caching marks, a participant's name and the user are left out.",
    "A tool that takes plain text becomes a function with one text parameter; its grammar is left out.",
    "A tool's strict mark and namespace are left out.",
    "What a family of models refuses of a schema is left out: `$schema`, and all but OpenAPI's words for old ones.",
    "Whether tools may be called in parallel is left out, and so is tool choice where there are no tools.",
    "The name, description and strict mark of the answer's JSON Schema are left out.",
    "`min_p`, `repeat_penalty`, a seed of more than 32 bits and empty stop texts are left out, and so are more "
    "than five stop texts.",
    "How much to think becomes a level or a budget of tokens, whichever the family of the model takes.",
    "Usage needs not be asked for: every stream has it.",
    "Fields that only another dialect knows are left out.",
    "JSON that only passes through loses the white space around it.",
)

_WORDS: Mapping[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "pause": "CONTINUATION",
}


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as it comes back from this dialect."""
    return replace(
        response,
        created=0,
        choices=tuple(norm_choice(choice, response.id) for choice in response.choices),
        usage=None if response.usage is None else _usage(response.usage),
    )


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request as a provider of this dialect reads it."""
    family = family_of(request.model)
    own = EXTRAS.written(request.extras)
    tools, hosted = options.norm_tools(request, family)
    output = request.output
    return replace(
        request,
        messages=arranged(request.messages, family),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=request.tool_choice if tools else None,
        parallel_tool_calls=None,
        sampling=options.norm_sampling(request.sampling),
        output=JsonSchema(schema=fitting_schema(output.schema, family))
        if isinstance(output, JsonSchema)
        else output,
        reasoning=options.norm_reasoning(request.reasoning, family),
        include_usage=request.stream,
        user=None,
        extras={NAME: own} if own else {},
    )


def norm_choice(choice: Choice, answer_id: str) -> Choice:
    """One choice of it; `answer_id` is what ids of calls are made from."""
    parts = _with_citations(_merged(_kept(choice.parts)), choice.parts)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    return replace(
        choice,
        parts=tuple(_with_ids(parts, answer_id, choice.index)),
        finish=settled_reason(choice.finish, has_calls=has_calls),
        raw_finish=_WORDS[choice.finish],
        logprobs=tuple(_logprob(token) for token in choice.logprobs),
    )


def spoken(parts: Iterable[AnswerPart]) -> str:
    """All that the texts among the parts say."""
    return "".join(part.text for part in parts if isinstance(part, Text | Refusal))


def _kept(parts: Iterable[AnswerPart]) -> Iterable[AnswerPart]:
    for part in parts:
        match part:
            case Text() | Refusal():
                signature = part.signature if isinstance(part, Text) else ""
                if part.text or signature:
                    yield Text(text=part.text, signature=signature)
            case Thinking():
                signature = part.signature if part.origin == NAME else ""
                if part.text or signature:
                    yield Thinking(text=part.text, signature=signature, origin=NAME)
            case ToolCall():
                call = as_json(part)
                yield replace(call, arguments=object_text(call.arguments), cache=None)
            case Opaque(origin=origin, json=json):
                if origin == NAME:
                    yield replace(part, json=object_text(json))
            case _:
                assert_never(part)


def _merged(parts: Iterable[AnswerPart]) -> list[AnswerPart]:
    merged: list[AnswerPart] = []
    for part in parts:
        match merged[-1:], part:
            case [Text(signature="") as last], Text(signature=""):
                merged[-1] = replace(last, text=last.text + part.text)
            case [Thinking(signature="") as last], Thinking(signature=""):
                merged[-1] = replace(last, text=last.text + part.text)
            case _:
                merged.append(part)
    return merged


def _with_citations(parts: list[AnswerPart], asked: Sequence[AnswerPart]) -> list[AnswerPart]:
    texts = [Text(text=part.text) if isinstance(part, Refusal) else part for part in asked]
    citations = ordered(joined(part for part in texts if isinstance(part, Text)))
    first = next((place for place, part in enumerate(parts) if isinstance(part, Text) and part.text), None)
    return [
        replace(part, citations=citations) if place == first and isinstance(part, Text) else part
        for place, part in enumerate(parts)
    ]


def _with_ids(parts: Iterable[AnswerPart], answer_id: str, choice: int) -> Iterable[AnswerPart]:
    call_count = 0
    for part in parts:
        if isinstance(part, ToolCall):
            call_count += 1
            yield replace(part, id=part.id or made_id(answer_id, choice, call_count))
        else:
            yield part


def _logprob(token: TokenLogprob) -> TokenLogprob:
    top = tuple(TokenAlternative(token=rival.token, logprob=finite(rival.logprob)) for rival in token.top)
    return TokenLogprob(token=token.token, logprob=finite(token.logprob), top=top)


def _usage(usage: Usage) -> Usage | None:
    return usage_in(msgspec.Raw(msgspec.json.encode(written(usage))))
