"""The settings of a request beside its conversation: tools, output, sampling, reasoning."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.openai_chat import wire
from relay.domain.chat import (
    EFFORTS,
    Effort,
    JsonObject,
    JsonSchema,
    JsonText,
    NamedTool,
    Output,
    Reasoning,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest

_tool = msgspec.json.Decoder(wire.Tool)
_encoder = msgspec.json.Encoder()

_EFFORTS: Mapping[object, Effort] = {effort: effort for effort in EFFORTS}
_CHOICES: Mapping[str, ToolChoice] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's word
}
_BUDGETS: tuple[tuple[int, Effort], ...] = ((0, "none"), (3071, "low"), (8191, "medium"), (16384, "high"))
"""The largest budget of thinking tokens that still counts as this effort; more is `xhigh`."""


def read_tools(body: wire.ChatBody) -> tuple[tuple[ToolSpec, ...], tuple[msgspec.Raw, ...]]:
    """The functions, and the tools of other types as they are. Raises `msgspec.ValidationError`."""
    specs = [_spec(function) for function in body.functions or ()]
    others: list[msgspec.Raw] = []
    for raw in body.tools or ():
        tool = _tool.decode(raw)
        if tool.type == "function" and tool.function is not None:
            specs.append(_spec(tool.function))
        else:
            others.append(raw)
    return tuple(specs), tuple(others)


def written_tools(specs: Iterable[ToolSpec], others: Iterable[msgspec.Raw]) -> list[msgspec.Raw]:
    """The tools of a request, functions first."""
    return [*(msgspec.Raw(_encoder.encode(_written_spec(as_function(spec)))) for spec in specs), *others]


def read_tool_choice(body: wire.ChatBody) -> ToolChoice | None:
    """`None` also for a kind of choice that only this dialect knows. Raises `InvalidRequest`."""
    choice = body.tool_choice if body.tool_choice is not None else body.function_call
    match choice:
        case None:
            return None
        case wire.ToolName(name=name):
            return NamedTool(name=name)
        case wire.NamedToolChoice(type="function", function=wire.ToolName(name=name)):
            return NamedTool(name=name)
        case wire.NamedToolChoice(type=kind) if kind != "function":
            return None
        case str() if choice in _CHOICES:
            return _CHOICES[choice]
        case _:
            raise InvalidRequest("unknown tool choice", code="invalid_value", param="tool_choice")


def written_tool_choice(choice: ToolChoice | None) -> wire.NamedToolChoice | str | None:
    """The choice on the wire."""
    if isinstance(choice, NamedTool):
        return wire.NamedToolChoice(function=wire.ToolName(name=choice.name))
    return choice


def read_output(asked: wire.ResponseFormat | None) -> Output | None:
    """`None` for free text, and for a format that only this dialect knows."""
    if asked is None or asked.type not in ("json_object", "json_schema"):
        return None
    if asked.type == "json_object":
        return JsonObject()
    given = asked.json_schema or wire.JsonSchema()
    schema = JsonSchema(
        schema=json_text(given.schema) or "{}", strict=given.strict, description=given.description
    )
    return replace(schema, name=given.name) if given.name else schema


def written_output(output: Output | None) -> wire.ResponseFormat | None:
    """The format on the wire."""
    match output:
        case None:
            return None
        case JsonObject():
            return wire.ResponseFormat(type="json_object")
        case JsonSchema():
            schema = wire.JsonSchema(
                name=output.name,
                description=output.description,
                schema=msgspec.Raw(output.schema.encode()),
                strict=output.strict,
            )
            return wire.ResponseFormat(type="json_schema", json_schema=schema)


def read_sampling(body: wire.ChatBody) -> Sampling:
    """Of two names for one setting the more specific wins."""
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or ()
    penalty = body.repeat_penalty if body.repetition_penalty is None else body.repetition_penalty
    limit = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        min_p=body.min_p,
        seed=body.seed,
        stop=tuple(text for text in stop if text),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        repeat_penalty=penalty,
        max_output_tokens=limit,
        logprobs=body.logprobs,
        top_logprobs=body.top_logprobs,
    )


def write_sampling(sampling: Sampling, body: wire.ChatBody) -> None:
    """Put the settings into the body."""
    body.temperature = sampling.temperature
    body.top_p = sampling.top_p
    body.top_k = sampling.top_k
    body.min_p = sampling.min_p
    body.seed = sampling.seed
    body.stop = [text for text in sampling.stop if text] or None
    body.presence_penalty = sampling.presence_penalty
    body.frequency_penalty = sampling.frequency_penalty
    body.repetition_penalty = sampling.repeat_penalty
    body.max_completion_tokens = sampling.max_output_tokens
    body.logprobs = sampling.logprobs
    body.top_logprobs = sampling.top_logprobs


def knows_effort(body: wire.ChatBody) -> bool:
    """Whether any effort asked for is one of the neutral scale: servers have words of their own."""
    asked = (body.reasoning_effort, body.reasoning.effort if body.reasoning else None)
    return all(effort is None or effort in EFFORTS for effort in asked)


def read_reasoning(body: wire.ChatBody) -> Reasoning | None:
    """What the three ways to ask for reasoning come to; off wins over any effort."""
    asked, thinking = body.reasoning, body.thinking
    if asked is None and thinking is None and body.reasoning_effort is None:
        return None
    if (asked is not None and asked.enabled is False) or (
        thinking is not None and thinking.type == "disabled"
    ):
        return Reasoning(effort="none")
    effort = _EFFORTS.get(body.reasoning_effort) or _EFFORTS.get(asked.effort if asked else None)
    budget = asked.max_tokens if asked else None
    if budget is None and thinking is not None:
        budget = thinking.budget_tokens
    return Reasoning(effort=effort, budget_tokens=budget)


def effort_of(reasoning: Reasoning) -> Effort:
    """The one word this dialect has: the effort, that of the budget, or `medium` for simply on."""
    if reasoning.effort is not None:
        return reasoning.effort
    if reasoning.budget_tokens is None:
        return "medium"
    return next((effort for limit, effort in _BUDGETS if reasoning.budget_tokens <= limit), "xhigh")


def json_text(raw: msgspec.Raw) -> JsonText:
    """The text of a value as it was spelled; empty for null."""
    return "" if raw == wire.NULL else bytes(raw).decode()


def _spec(function: wire.FunctionSpec) -> ToolSpec:
    return ToolSpec(
        name=function.name,
        description=function.description,
        parameters=json_text(function.parameters),
        strict=function.strict,
    )


def _written_spec(spec: ToolSpec) -> wire.Tool:
    function = wire.FunctionSpec(name=spec.name, description=spec.description, strict=spec.strict)
    if spec.parameters:
        function.parameters = msgspec.Raw(spec.parameters.encode())
    return wire.Tool(function=function)
