"""The settings of a request beside its conversation: tools, output, sampling, thinking."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from msgspec import Raw

from relay.adapters.dialects.cohere_v2 import wire
from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.members import json_text
from relay.domain.chat import (
    ChatRequest,
    Effort,
    JsonObject,
    JsonSchema,
    NamedTool,
    Output,
    Reasoning,
    Sampling,
    ToolChoice,
    ToolSpec,
)

MAX_STOPS = 5
MAX_TOP_K = 500

BOUNDS: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 1.0),
    "top_p": (0.01, 0.99),
    "frequency_penalty": (0.0, 1.0),
    "presence_penalty": (0.0, 1.0),
}
"""https://docs.cohere.com/reference/chat: what lies outside is refused."""

THOUGHTLESS: tuple[str, ...] = (
    "command",
    "command-light*",
    "command-nightly",
    "command-r*",
    "command-a-03-*",
    "command-a-vision-*",
    "command-a-translate-*",
    "c4ai-aya-*",
)
"""Globs of the models that refuse `thinking`."""

BUDGETS: Mapping[Effort, int | None] = {
    "none": 0,
    "minimal": 512,
    "low": 2048,
    "medium": 8192,
    "high": None,
    "xhigh": None,
    "max": None,
}
"""The tokens of thinking that an effort stands for; `None` is as many as it takes."""

_CHOICES: Mapping[str, ToolChoice] = {"REQUIRED": "required", "NONE": "none"}
_UNSAID = ("min_p", "repeat_penalty", "top_logprobs")


def read_tools(tools: Sequence[wire.Tool], *, strict: bool | None) -> tuple[ToolSpec, ...]:
    """The functions; strictness is of all or none."""
    return tuple(
        ToolSpec(
            name=tool.function.name,
            description=tool.function.description,
            parameters="" if tool.function.parameters == wire.NONE else json_text(tool.function.parameters),
            strict=strict or None,
        )
        for tool in tools
        if tool.function is not None
    )


def norm_tools(request: ChatRequest) -> tuple[ToolSpec, ...]:
    """The tools as they are sent: one that must be called is the only one, as no other choice can be named."""
    wanted = request.tool_choice.name if isinstance(request.tool_choice, NamedTool) else None
    sent = [tool for tool in request.tools if tool.name == wanted] or request.tools
    strict = all(tool.strict for tool in sent) or None
    return tuple(
        replace(
            as_function(tool),
            parameters=settled(as_function(tool).parameters),
            strict=strict,
            cache=None,
            namespace="",
        )
        for tool in sent
    )


def written_tools(tools: Sequence[ToolSpec]) -> list[wire.Tool]:
    """The functions on the wire."""
    return [
        wire.Tool(
            type="function",
            function=wire.FunctionSpec(
                name=tool.name,
                description=tool.description,
                parameters=Raw(tool.parameters.encode()) if tool.parameters else wire.NONE,
            ),
        )
        for tool in tools
    ]


def read_tool_choice(word: str | None) -> ToolChoice | None:
    """What the word comes to."""
    return _CHOICES.get(word or "")


def norm_tool_choice(choice: ToolChoice | None) -> ToolChoice | None:
    """What there are words for."""
    if isinstance(choice, NamedTool):
        return "required"
    return None if choice == "auto" else choice


def written_tool_choice(choice: ToolChoice | None) -> str | None:
    """The word for a choice."""
    kept = norm_tool_choice(choice)
    return next((word for word, meaning in _CHOICES.items() if meaning == kept), None)


def read_output(asked: wire.ResponseFormat | None) -> Output | None:
    """`None` for free text."""
    if asked is None or asked.type != "json_object":
        return None
    return JsonObject() if asked.json_schema == wire.NONE else JsonSchema(schema=json_text(asked.json_schema))


def written_output(output: Output | None) -> wire.ResponseFormat | None:
    """The format on the wire: the bare schema."""
    match output:
        case None:
            return None
        case JsonObject():
            return wire.ResponseFormat(type="json_object")
        case JsonSchema(schema=schema):
            return wire.ResponseFormat(type="json_object", json_schema=Raw(schema.encode()))


def read_sampling(body: wire.Body) -> Sampling:
    """The settings that are sampling's."""
    return Sampling(
        temperature=body.temperature,
        top_p=body.p,
        top_k=body.k,
        seed=body.seed,
        stop=tuple(text for text in body.stop_sequences or () if text),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        max_output_tokens=body.max_tokens,
        logprobs=body.logprobs,
    )


def norm_sampling(sampling: Sampling) -> Sampling:
    """What of it there are words for, within their bounds."""
    return replace(
        sampling,
        temperature=_within("temperature", sampling.temperature),
        top_p=_within("top_p", sampling.top_p),
        frequency_penalty=_within("frequency_penalty", sampling.frequency_penalty),
        presence_penalty=_within("presence_penalty", sampling.presence_penalty),
        top_k=None if sampling.top_k is None else min(max(sampling.top_k, 0), MAX_TOP_K),
        seed=None if sampling.seed is None or sampling.seed < 0 else sampling.seed,
        min_p=None,
        repeat_penalty=None,
        top_logprobs=None,
        stop=tuple(text for text in sampling.stop if text)[:MAX_STOPS],
    )


def write_sampling(sampling: Sampling, body: wire.Body) -> None:
    """Put the settings into the body."""
    kept = norm_sampling(sampling)
    body.temperature = kept.temperature
    body.p = kept.top_p
    body.k = kept.top_k
    body.seed = kept.seed
    body.stop_sequences = list(kept.stop) or None
    body.presence_penalty = kept.presence_penalty
    body.frequency_penalty = kept.frequency_penalty
    body.max_tokens = kept.max_output_tokens
    body.logprobs = kept.logprobs


def sampling_losses(sampling: Sampling) -> Iterator[str]:
    """What of it is not as it was set."""
    kept = norm_sampling(sampling)
    for name in (*BOUNDS, "top_k", "seed", *_UNSAID):
        if getattr(kept, name) != getattr(sampling, name):
            yield name
    if len([text for text in sampling.stop if text]) > MAX_STOPS:
        yield "stop"


def read_reasoning(asked: wire.ThinkingOptions | None) -> Reasoning | None:
    """Off wins over a budget."""
    if asked is None:
        return None
    if asked.type == "disabled" or asked.token_budget == 0:
        return Reasoning(effort="none")
    return Reasoning(budget_tokens=asked.token_budget)


def norm_reasoning(asked: Reasoning | None, model: str) -> Reasoning | None:
    """A budget, off, or on; nothing for a model that does not think."""
    if asked is None or not _thinks(model):
        return None
    budget = asked.budget_tokens
    if budget is None and asked.effort is not None:
        budget = BUDGETS[asked.effort]
    return Reasoning(effort="none") if budget == 0 else Reasoning(budget_tokens=budget)


def written_reasoning(asked: Reasoning | None, model: str) -> wire.ThinkingOptions | None:
    """The options on the wire."""
    match norm_reasoning(asked, model):
        case None:
            return None
        case Reasoning(effort="none"):
            return wire.ThinkingOptions(type="disabled")
        case Reasoning(budget_tokens=budget):
            return wire.ThinkingOptions(type="enabled", token_budget=budget)


def reasoning_losses(asked: Reasoning | None, model: str) -> Iterator[str]:
    """Thinking that was asked of a model that does not think."""
    if asked is None or _thinks(model) or asked.effort == "none":
        return
    yield "reasoning.effort" if asked.budget_tokens is None else "reasoning.budget_tokens"


def _within(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    lowest, highest = BOUNDS[name]
    return min(max(value, lowest), highest)


def _thinks(model: str) -> bool:
    return not any(fnmatchcase(model.lower(), glob) for glob in THOUGHTLESS)
