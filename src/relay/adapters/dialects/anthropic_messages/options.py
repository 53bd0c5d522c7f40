"""The settings of a request beside its conversation: tools, output, sampling, reasoning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from relay.adapters.dialects import splice
from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.anthropic_messages.blocks import mark
from relay.adapters.dialects.anthropic_messages.families import default_max_tokens
from relay.adapters.dialects.anthropic_messages.messages import NAME, Unplaced, ttl_of
from relay.adapters.dialects.freeform import as_function
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.openai_chat.options import json_text
from relay.domain.chat import (
    EFFORTS,
    ChatRequest,
    Effort,
    HostedTool,
    JsonSchema,
    Message,
    NamedTool,
    Output,
    Reasoning,
    Sampling,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest

MIN_BUDGET_TOKENS = 1024
"""The least a model may be told to think."""

NO_PARAMETERS = '{"type":"object","properties":{}}'

_EFFORTS: Mapping[object, Effort] = {effort: effort for effort in EFFORTS}
_CHOICES: Mapping[str, ToolChoice] = {"auto": "auto", "any": "required", "none": "none"}
_WORDS: Mapping[str, str] = {"auto": "auto", "required": "any", "none": "none"}
_TOOL_MEMBERS = frozenset(wire.Tool.__struct_encode_fields__)
_OWN_KINDS = (None, "custom")

_tool = msgspec.json.Decoder(wire.Tool, strict=False)
_encoder = msgspec.json.Encoder()


def read_tools(
    tools: Iterable[msgspec.Raw], referenced: frozenset[str], unplaced: Unplaced
) -> tuple[tuple[ToolSpec, ...], tuple[HostedTool, ...]]:
    """The caller's tools, and those that are Anthropic's to run or to bring up when a search finds them."""
    specs: list[ToolSpec] = []
    hosted: list[HostedTool] = []
    for raw in tools:
        tool = _tool.decode(raw)
        if tool.type not in _OWN_KINDS or (tool.defer_loading and tool.name not in referenced):
            hosted.append(HostedTool(origin=NAME, json=settled(bytes(raw).decode())))
            continue
        specs.append(
            ToolSpec(
                name=tool.name,
                description=tool.description,
                parameters=json_text(tool.input_schema),
                strict=tool.strict,
                cache=ttl_of(tool.cache_control),
            )
        )
        members = splice.top_level(bytes(raw))
        unplaced |= {
            f"tools.{name}": bytes(value).decode()
            for name, value in members.items()
            if name not in _TOOL_MEMBERS
        }
    return tuple(specs), tuple(hosted)


def settled_tool(tool: ToolSpec) -> ToolSpec:
    """A tool as it is read back."""
    function = as_function(tool)
    return replace(function, parameters=settled(function.parameters) or NO_PARAMETERS, namespace="")


def written_tools(specs: Sequence[ToolSpec], hosted: Sequence[HostedTool]) -> list[msgspec.Raw]:
    """Settled tools, the caller's first."""
    written = [
        wire.Tool(
            name=spec.name,
            description=spec.description,
            input_schema=msgspec.Raw(spec.parameters.encode()),
            strict=spec.strict,
            cache_control=mark(spec.cache),
        )
        for spec in specs
    ]
    raws = (msgspec.Raw(tool.json.encode()) for tool in hosted)
    return [*(msgspec.Raw(_encoder.encode(tool)) for tool in written), *raws]


def read_tool_choice(choice: wire.ToolChoice | None) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether tools may be called in parallel. Raises `InvalidRequest`."""
    if choice is None:
        return None, None
    flag = choice.disable_parallel_tool_use
    parallel = None if flag is None else not flag
    if choice.type == "tool" and choice.name is not None:
        return NamedTool(name=choice.name), parallel
    if choice.type not in _CHOICES:
        raise InvalidRequest("tool_choice.type: unknown tool choice", param="tool_choice")
    return _CHOICES[choice.type], None if choice.type == "none" else parallel


def settled_choice(request: ChatRequest, *, has_tools: bool) -> tuple[ToolChoice | None, bool | None]:
    """The choice and the parallel flag as they are read back: the one carries the other."""
    if not has_tools:
        return None, None
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice == "none":
        return choice, None
    return ("auto" if choice is None and parallel is not None else choice), parallel


def written_tool_choice(choice: ToolChoice | None, parallel: bool | None) -> wire.ToolChoice | None:
    """A settled choice."""
    if choice is None:
        return None
    flag = None if parallel is None else not parallel
    if isinstance(choice, NamedTool):
        return wire.ToolChoice(type="tool", name=choice.name, disable_parallel_tool_use=flag)
    return wire.ToolChoice(type=_WORDS[choice], disable_parallel_tool_use=flag)


def read_output(config: wire.OutputConfig | None) -> Output | None:
    """`None` for free text."""
    if config is None or config.format is None or config.format.type != "json_schema":
        return None
    return JsonSchema(schema=json_text(config.format.schema) or "{}")


def read_reasoning(
    thinking: wire.Thinking | None, config: wire.OutputConfig | None, unplaced: Unplaced
) -> Reasoning | None:
    """What the two ways to ask for reasoning come to."""
    word = config.effort if config is not None else None
    effort = _EFFORTS.get(word)
    if word is not None and effort is None:
        unplaced["output_config.effort"] = _encoder.encode(word).decode()
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    if thinking.type == "disabled":
        return Reasoning(effort="none")
    return Reasoning(
        effort=effort, budget_tokens=thinking.budget_tokens if thinking.type == "enabled" else None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """How much a model is to think and to say, how tokens are drawn, and what was lost for it."""

    limit: int
    reasoning: Reasoning | None
    sampling: Sampling
    losses: tuple[str, ...]


def fitted(request: ChatRequest, turns: Sequence[Message]) -> Fitted:
    """The settings that depend on each other and on the arranged turns, as the API takes them. A fixed point.

    https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking: a budget is below the limit; with one no
    tool may be forced, and a turn that calls tools begins with its thoughts; while a model thinks its sampling is
    its own. Of `temperature` and `top_p` newer models take one.
    """
    limit = _limit(request)
    reasoning, losses = _fitted_reasoning(request, turns, limit)
    sampling, lost = _fitted_sampling(request.sampling, is_thinking=reasoning not in (None, _OFF))
    return Fitted(
        limit=limit,
        reasoning=reasoning,
        sampling=replace(sampling, max_output_tokens=limit),
        losses=(*losses, *lost),
    )


_OFF = Reasoning(effort="none")


def _limit(request: ChatRequest) -> int:
    asked = request.sampling.max_output_tokens
    if asked is not None:
        return asked
    reasoning = request.reasoning
    budget = reasoning.budget_tokens if reasoning is not None else None
    return default_max_tokens(request.model) + max(budget or 0, 0)


def _fitted_reasoning(
    request: ChatRequest, turns: Sequence[Message], limit: int
) -> tuple[Reasoning | None, list[str]]:
    reasoning = request.reasoning
    if reasoning is None:
        return None, []
    if reasoning.effort == "none" or (reasoning.budget_tokens is not None and reasoning.budget_tokens <= 0):
        return _OFF, []
    losses: list[str] = []
    effort = reasoning.effort
    if effort == "minimal":
        effort = "low"
        losses.append("reasoning.effort")
    budget = reasoning.budget_tokens
    if budget is None:
        return Reasoning(effort=effort), losses
    fitting = min(max(budget, MIN_BUDGET_TOKENS), limit - 1)
    is_forced = request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)
    if fitting < MIN_BUDGET_TOKENS or (is_forced and request.tools) or _begins_without_thoughts(turns):
        return (None if effort is None else Reasoning(effort=effort)), [*losses, "reasoning.budget_tokens"]
    if fitting != budget:
        losses.append("reasoning.budget_tokens")
    return Reasoning(effort=effort, budget_tokens=fitting), losses


def _begins_without_thoughts(turns: Sequence[Message]) -> bool:
    """Whether a round of tools is under way whose turn has no thoughts."""
    spoken = [turn for turn in turns[-3:] if turn.role != "system"]
    match spoken[-2:]:
        case [Message(role="assistant", parts=said), Message(role="user", parts=parts)]:
            is_under_way = any(isinstance(part, ToolResult) for part in parts)
            return is_under_way and not any(isinstance(part, Thinking) for part in said)
        case _:
            return False


def _fitted_sampling(sampling: Sampling, *, is_thinking: bool) -> tuple[Sampling, list[str]]:
    kept = Sampling(
        temperature=None if sampling.temperature is None else min(sampling.temperature, 1.0),
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop=tuple(text for text in sampling.stop if text.strip()),
    )
    if is_thinking:
        kept = replace(
            kept,
            temperature=kept.temperature if kept.temperature == 1 else None,
            top_p=kept.top_p if kept.top_p is not None and kept.top_p >= 0.95 else None,
            top_k=None,
        )
    if kept.temperature is not None:
        kept = replace(kept, top_p=None)
    names = (
        "temperature", "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty",
        "repeat_penalty", "logprobs", "top_logprobs",
    )  # fmt: skip
    return kept, [name for name in names if getattr(sampling, name) != getattr(kept, name)]


def written_thinking(reasoning: Reasoning | None) -> wire.Thinking | None:
    """Whether to think, and how many tokens at most."""
    if reasoning is None:
        return None
    if reasoning == _OFF:
        return wire.Thinking(type="disabled")
    if reasoning.budget_tokens is not None:
        return wire.Thinking(type="enabled", budget_tokens=reasoning.budget_tokens)
    return wire.Thinking(type="adaptive")


def written_output_config(reasoning: Reasoning | None, output: Output | None) -> wire.OutputConfig | None:
    """How hard to try, and the form of the answer."""
    config = wire.OutputConfig()
    if reasoning is not None and reasoning != _OFF:
        config.effort = reasoning.effort
    if isinstance(output, JsonSchema):
        config.format = wire.Format(type="json_schema", schema=msgspec.Raw(output.schema.encode()))
    return None if config == wire.OutputConfig() else config
