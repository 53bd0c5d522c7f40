"""The settings of a request beside its conversation: tools, output, sampling, thinking."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
from msgspec import Raw

from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.gemini_generate import wire
from relay.adapters.dialects.gemini_generate.families import BUDGETS, Family
from relay.adapters.dialects.gemini_generate.reading import NAME
from relay.adapters.dialects.gemini_generate.schemas import fitting_schema
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.members import json_text
from relay.adapters.dialects.openai_chat.options import effort_of
from relay.domain.chat import (
    EFFORTS,
    ChatRequest,
    Effort,
    HostedTool,
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

MAX_STOPS = 5
"""More texts to stop at are refused."""

_INT32 = range(-(2**31), 2**31)
_JSON_TYPE = "application/json"

_tool = msgspec.json.Decoder(dict[str, Raw])
_declarations = msgspec.json.Decoder(list[wire.FunctionDeclaration])
_encoder = msgspec.json.Encoder()

_EFFORTS: Mapping[str | None, Effort] = {effort: effort for effort in EFFORTS}


def read_tools(tools: Sequence[Raw]) -> tuple[tuple[ToolSpec, ...], tuple[HostedTool, ...]]:
    """The functions, and what else is among the tools, as it is. Raises `msgspec.ValidationError`."""
    specs: list[ToolSpec] = []
    hosted: list[HostedTool] = []
    for raw in tools:
        members = _tool.decode(raw)
        declared = members.pop("functionDeclarations", wire.NONE)
        if declared != wire.NONE:
            specs += map(_spec, _declarations.decode(declared))
        if members:
            hosted.append(HostedTool(origin=NAME, json=json_text(Raw(_encoder.encode(members)))))
    return tuple(specs), tuple(hosted)


def written_tools(request: ChatRequest, family: Family) -> list[Raw]:
    """The functions as one tool, then those that Google runs."""
    declared = [_declared(spec, family) for spec in request.tools]
    functions = [Raw(_encoder.encode({"functionDeclarations": declared}))] if declared else []
    own = [Raw(tool.json.encode()) for tool in request.hosted_tools if tool.origin == NAME]
    return [*functions, *own]


def norm_tools(request: ChatRequest, family: Family) -> tuple[tuple[ToolSpec, ...], tuple[HostedTool, ...]]:
    """The tools as they are read back."""
    specs = tuple(
        replace(
            as_function(spec),
            parameters=_parameters(spec, family),
            strict=None,
            cache=None,
            namespace="",
        )
        for spec in request.tools
    )
    own = [tool for tool in request.hosted_tools if tool.origin == NAME]
    return specs, tuple(replace(tool, json=settled(tool.json)) for tool in own)


def read_tool_choice(config: wire.ToolConfig | None) -> ToolChoice | None:
    """What the calling mode comes to; Google's own `VALIDATED` is no choice."""
    calling = config.function_calling_config if config is not None else None
    if calling is None:
        return None
    match calling.mode, calling.allowed_function_names or []:
        case "ANY", [name]:
            return NamedTool(name=name)
        case "ANY", _:
            return "required"
        case "NONE", _:
            return "none"
        case "AUTO", _:
            return "auto"
        case _:
            return None


def written_tool_choice(choice: ToolChoice | None) -> wire.ToolConfig | None:
    """The mode for a choice."""
    match choice:
        case None:
            return None
        case NamedTool(name=name):
            calling = wire.FunctionCallingConfig(mode="ANY", allowed_function_names=[name])
        case word:
            mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}[word]
            calling = wire.FunctionCallingConfig(mode=mode)
    return wire.ToolConfig(function_calling_config=calling)


def read_output(config: wire.GenerationConfig) -> Output | None:
    """A schema counts whatever the type is."""
    schema = (
        config.response_schema if config.response_json_schema == wire.NONE else config.response_json_schema
    )
    if schema != wire.NONE:
        return JsonSchema(schema=json_text(schema))
    return JsonObject() if config.response_mime_type == _JSON_TYPE else None


def read_sampling(config: wire.GenerationConfig) -> Sampling:
    """The settings that are sampling's."""
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        stop=tuple(text for text in config.stop_sequences or () if text),
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        max_output_tokens=config.max_output_tokens,
        logprobs=config.response_logprobs,
        top_logprobs=config.logprobs,
    )


def norm_sampling(sampling: Sampling) -> Sampling:
    """What of it there are words for."""
    is_small = sampling.seed is not None and sampling.seed in _INT32
    return replace(
        sampling,
        min_p=None,
        repeat_penalty=None,
        seed=sampling.seed if is_small else None,
        stop=tuple(text for text in sampling.stop if text)[:MAX_STOPS],
    )


def sampling_losses(sampling: Sampling) -> Iterator[str]:
    """What of it there are no words for."""
    kept = norm_sampling(sampling)
    lost = ("min_p", "repeat_penalty", "seed")
    yield from (name for name in lost if getattr(sampling, name) != getattr(kept, name))
    if len([text for text in sampling.stop if text]) > MAX_STOPS:
        yield "stop"


def generation_config(request: ChatRequest, family: Family) -> wire.GenerationConfig:
    """All settings of a request."""
    kept = norm_sampling(request.sampling)
    config = wire.GenerationConfig(
        max_output_tokens=kept.max_output_tokens,
        temperature=kept.temperature,
        top_p=kept.top_p,
        top_k=kept.top_k,
        candidate_count=request.choice_count if request.choice_count != 1 else None,
        stop_sequences=list(kept.stop) or None,
        seed=kept.seed,
        presence_penalty=kept.presence_penalty,
        frequency_penalty=kept.frequency_penalty,
        response_logprobs=kept.logprobs,
        logprobs=kept.top_logprobs,
        thinking_config=_written_thinking(request.reasoning, family),
    )
    if request.output is not None:
        config.response_mime_type = _JSON_TYPE
    if isinstance(request.output, JsonSchema):
        schema = Raw(fitting_schema(request.output.schema, family).encode())
        if family.json_schema:
            config.response_json_schema = schema
        else:
            config.response_schema = schema
    return config


def read_reasoning(config: wire.ThinkingConfig | None) -> Reasoning | None:
    """A budget of nothing is none, one of -1 as much as the model thinks fit."""
    if config is None:
        return None
    if config.thinking_budget == 0:
        return Reasoning(effort="none")
    if config.thinking_budget is not None and config.thinking_budget > 0:
        return Reasoning(budget_tokens=config.thinking_budget)
    effort = _EFFORTS.get((config.thinking_level or "").lower())
    is_asked = effort is not None or config.include_thoughts or config.thinking_budget is not None
    return Reasoning(effort=effort) if is_asked else None


def norm_reasoning(asked: Reasoning | None, family: Family) -> Reasoning | None:
    """What the family makes of it: the nearest level, or a budget within its bounds."""
    if asked is None or family.thinking == "none":
        return None
    if asked.effort is None and asked.budget_tokens is None:
        return asked
    if family.thinking == "level":
        return Reasoning(effort=_nearest(effort_of(asked), family.levels))
    budget = asked.budget_tokens if asked.budget_tokens is not None else BUDGETS[effort_of(asked)]
    if budget == 0 and family.can_rest:
        return Reasoning(effort="none")
    return Reasoning(budget_tokens=min(max(budget, family.min_budget), family.max_budget))


def reasoning_losses(asked: Reasoning | None, family: Family) -> Iterator[str]:
    """What is not as it was asked for."""
    kept = norm_reasoning(asked, family)
    if asked is None or asked == kept:
        return
    if asked.budget_tokens is not None and (kept is None or kept.budget_tokens != asked.budget_tokens):
        yield "reasoning.budget_tokens"
    elif asked.effort is not None and (family.thinking == "level" or kept is None):
        yield "reasoning.effort"


def _written_thinking(asked: Reasoning | None, family: Family) -> wire.ThinkingConfig | None:
    """Thoughts are shown where thinking was asked for, and not where none was wanted."""
    kept = norm_reasoning(asked, family)
    if asked is None or kept is None:
        return None
    if kept.effort == "none":
        return wire.ThinkingConfig(thinking_budget=0)
    return wire.ThinkingConfig(
        include_thoughts=None if asked.effort == "none" else True,
        thinking_budget=kept.budget_tokens,
        thinking_level=kept.effort,
    )


def _nearest(effort: Effort, levels: Iterable[Effort]) -> Effort:
    wanted = EFFORTS.index(effort)
    return min(levels, key=lambda level: (abs(EFFORTS.index(level) - wanted), EFFORTS.index(level)))


def _spec(declared: wire.FunctionDeclaration) -> ToolSpec:
    schema = (
        declared.parameters
        if declared.parameters_json_schema == wire.NONE
        else declared.parameters_json_schema
    )
    return ToolSpec(
        name=declared.name,
        description=declared.description,
        parameters="" if schema == wire.NONE else json_text(schema),
    )


def _declared(spec: ToolSpec, family: Family) -> wire.FunctionDeclaration:
    declared = wire.FunctionDeclaration(name=spec.name, description=spec.description)
    if parameters := _parameters(spec, family):
        schema = Raw(parameters.encode())
        if family.json_schema:
            declared.parameters_json_schema = schema
        else:
            declared.parameters = schema
    return declared


def _parameters(spec: ToolSpec, family: Family) -> JsonText:
    parameters = as_function(spec).parameters
    return fitting_schema(parameters, family) if parameters else ""
