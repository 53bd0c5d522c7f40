"""What survives a trip through this dialect, and in one sentence each, what does not.

`norm` and `norm_request` say it as functions, `POVERTY` and `REQUEST_POVERTY` in words: nothing may be lost on the
way that is not in both. The encoders build on the same functions, so that they cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from relay.adapters.dialects.anthropic_messages.arranging import own_thoughts
from relay.adapters.dialects.anthropic_messages.messages import NAME
from relay.adapters.dialects.anthropic_messages.reading import settled_reason
from relay.adapters.dialects.anthropic_messages.request import EXTRAS, fitted
from relay.adapters.dialects.anthropic_messages.usage import surviving
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.adapters.dialects.openai_chat.ids import CallIds, DistinctIds
from relay.domain.chat import ChatRequest, Citation, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import AnswerPart, ChatResponse, Choice, FinishReason

POVERTY: tuple[str, ...] = (
    "Only the first choice is carried.",
    "The id begins with `msg_`, and there is no creation time.",
    "Empty texts and thinking are left out, with what they cite.",
    "A refusal becomes text.",
    "Of what a text cites, addresses with titles are kept, each for the whole text.",
    "Seals of other dialects, texts and calls are left out, and parts that only another dialect has a word for.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A tool call without an id, or with one that another call of the answer has, gets an id of its own.",
    "`stop` and `tool_calls` follow from whether tools were called.",
    "The provider's own finish word is replaced by Anthropic's.",
    "Log probabilities are left out.",
    "Usage keeps input, output, cache reads and writes, thinking and web searches; input or output that was not "
    "reported reads 0, nothing but zeros is no report, and a part is never more than its whole.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "There is one answer per call: more are refused.",
    "Instructions before all else are one; later ones are what a user says, in a mark, but for families that take "
    "them.",
    "Turns alternate: messages of one role after another are one, and a participant's name is left out.",
    "The results of a turn's calls open the next turn; they know their calls as in OpenAI's chat.",
    "A result that answers no call of the turn before is what the user says; a call without a result gets one that "
    "says so.",
    "An id of a call that was used before is numbered; one of other characters or more than 64 gets a hash.",
    "Thinking without Anthropic's own seal is left out.",
    "Texts of nothing but white space are left out, and audio; a refusal becomes text.",
    "A document is a PDF or a plain text; the media type of an inline image is read from its bytes if it is not "
    "known, a file's from its data URI; an image's detail setting is left out.",
    "Tool-call arguments are written as one line of JSON, and put into an object when they are none.",
    "A tool without parameters has an empty object of them; one that takes plain text becomes a function with one "
    "text parameter, without its grammar.",
    "Parts, tools and signatures that only another dialect has a word for are left out.",
    "At most four caching marks are kept, the last ones, none for longer than one before it.",
    "Tool choice and parallel tool calls are left out where there are no tools, and parallel calls with the choice "
    "none; without a choice they make it auto.",
    "A request without a limit of output tokens gets one by the model's family, and room for its thinking.",
    "Of sampling, temperature up to 1, top_p, top_k and stop texts are kept: of temperature and top_p the first, "
    "and while the model thinks only what it takes then.",
    "Reasoning effort minimal becomes low; a budget is at least 1024 and below the limit; there is none where a "
    "tool must be called, or where a round of tools began without Anthropic's thoughts.",
    "Any JSON is asked for in words; the name, description and strict mark of a JSON Schema are left out.",
    "Fields that only another dialect knows are left out, and members that a known object should not have.",
    "JSON that only passes through loses the white space around it, and its line separators are escaped.",
    "Usage needs not be asked for: every answer has it.",
)

_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}


def message_id(scene_id: str) -> str:
    """The id of an answer, in Anthropic's spelling."""
    return scene_id if scene_id.startswith("msg_") else f"msg_{scene_id}"


def call_ids(scene_id: str) -> CallIds:
    """The ids of an answer's tool calls, in Anthropic's spelling."""
    return CallIds(scene_id, "toolu")


def word_of(reason: FinishReason, *, has_calls: bool) -> str:
    """The stop word."""
    return _WORDS[settled_reason(reason, has_calls=has_calls)]


def cited(citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """The sources of a text, each once."""
    return tuple(dict.fromkeys(Citation(url=each.url, title=each.title) for each in citations))


def surviving_parts(parts: Sequence[AnswerPart]) -> tuple[AnswerPart, ...]:
    """The parts as blocks hold them, but for the ids of calls."""
    return tuple(kept for part in parts for kept in _surviving(part))


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as it comes back from this dialect."""
    first = next((choice for choice in response.choices if choice.index == 0), None)
    choice = first or Choice(parts=(), finish="stop")
    ids = DistinctIds()
    parts = tuple(
        replace(part, id=part.id and ids.of(part.id)) if isinstance(part, ToolCall) else part
        for part in surviving_parts(choice.parts)
    )
    finish = settled_reason(choice.finish, has_calls=any(isinstance(part, ToolCall) for part in parts))
    return ChatResponse(
        choices=(Choice(parts=parts, finish=finish, raw_finish=_WORDS[finish]),),
        id=message_id(response.id),
        model=response.model,
        usage=surviving(response.usage),
    )


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request as a provider of this dialect reads it."""
    fit = fitted(request)
    own = EXTRAS.written(request.extras)
    return ChatRequest(
        model=request.model,
        messages=fit.turns.messages(),
        tools=fit.tools,
        hosted_tools=fit.hosted,
        tool_choice=fit.choice,
        parallel_tool_calls=fit.parallel,
        sampling=fit.sampling,
        output=fit.output,
        reasoning=fit.reasoning,
        stream=request.stream,
        user=request.user,
        extras={NAME: own} if own else {},
    )


def _surviving(part: AnswerPart) -> Iterator[AnswerPart]:
    match part:
        case Text(text="") | Refusal(text=""):
            return
        case Text(text=text):
            whole = tuple(replace(each, end=len(text)) for each in cited(part.citations))
            yield Text(text=text, citations=whole)
        case Refusal(text=text):
            yield Text(text=text)
        case Thinking():
            yield from _surviving_thoughts(part)
        case ToolCall():
            yield ToolCall(id=part.id, name=part.name, arguments=object_text(part.arguments))
        case Opaque(origin=origin, json=json):
            if origin == NAME:
                yield Opaque(origin=NAME, json=settled(json))
        case _:
            assert_never(part)


def _surviving_thoughts(part: Thinking) -> Iterator[Thinking]:
    is_own = part.origin == NAME
    if part.text and not (is_own and part.signature):
        yield Thinking(text=part.text, origin=NAME)
    if is_own:
        yield from own_thoughts(part)
