"""The settings of a request beside its conversation: tools, their choice, output, sampling."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from relay.adapters.dialects.openai_chat.options import json_text
from relay.adapters.dialects.openai_responses import wire
from relay.adapters.dialects.openai_responses.content import NAME
from relay.domain.chat import (
    EFFORTS,
    Effort,
    HostedTool,
    JsonObject,
    JsonSchema,
    NamedTool,
    Output,
    Reasoning,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest

LOGPROBS = "message.output_text.logprobs"
SEALED_REASONING = "reasoning.encrypted_content"
"""Values of `include` that the codec sees to itself."""

DEFAULT_NAMESPACE = "functions"
"""Its tools are called by their bare names."""

_tag = msgspec.json.Decoder(wire.Tagged)
_function = msgspec.json.Decoder(wire.Function)
_custom = msgspec.json.Decoder(wire.Custom)
_namespace = msgspec.json.Decoder(wire.Namespace)
_choice = msgspec.json.Decoder(str | wire.NamedChoice | None)
_encoder = msgspec.json.Encoder()

_EFFORTS: Mapping[str | None, Effort] = {effort: effort for effort in EFFORTS}
_CHOICES: Mapping[str, ToolChoice] = {"auto": "auto", "none": "none", "required": "required"}


def flat_name(namespace: str | None, name: str) -> str:
    """The one name of a tool in a namespace, for dialects that have none."""
    return f"{namespace}__{name}" if namespace and namespace != DEFAULT_NAMESPACE else name


def read_tools(raws: Iterable[msgspec.Raw]) -> tuple[tuple[ToolSpec, ...], tuple[HostedTool, ...]]:
    """The tools a caller runs, each name once, and those that the provider runs as they are.

    Raises `msgspec.ValidationError`.
    """
    specs: dict[str, ToolSpec] = {}
    hosted: dict[str, HostedTool] = {}
    for raw, namespace in _flattened(raws):
        kind = _tag.decode(raw).type
        if kind in ("function", "custom"):
            spec = _custom_spec(raw, namespace) if kind == "custom" else _function_spec(raw, namespace)
            specs.setdefault(spec.name, spec)
        else:
            text = bytes(raw).decode().strip()
            hosted.setdefault(text, HostedTool(origin=NAME, json=text))
    return tuple(specs.values()), tuple(hosted.values())


def written_tools(specs: Iterable[ToolSpec], hosted: Iterable[HostedTool]) -> list[msgspec.Raw]:
    """The tools of a request: those the caller runs, then the provider's own."""
    own = [msgspec.Raw(tool.json.encode()) for tool in hosted if tool.origin == NAME]
    return [*(msgspec.Raw(_encoder.encode(_written_spec(spec))) for spec in specs), *own]


def read_tool_choice(raw: msgspec.Raw) -> ToolChoice | None:
    """`None` also for a kind of choice that only this dialect knows: see `is_own_choice`.

    Raises `InvalidRequest`, or `msgspec.ValidationError`.
    """
    match _choice.decode(raw):
        case wire.NamedChoice(type="function" | "custom", name=str(name)):
            return NamedTool(name=name)
        case None | wire.NamedChoice():
            return None
        case word if word in _CHOICES:
            return _CHOICES[word]
        case _:
            raise InvalidRequest("unknown tool choice", code="invalid_value", param="tool_choice")


def is_own_choice(raw: msgspec.Raw) -> bool:
    """Whether the choice is of a kind that has no canonical form: of hosted tools, of a list of tools."""
    return bytes(memoryview(raw)[:1]) == b"{" and read_tool_choice(raw) is None


def written_tool_choice(choice: ToolChoice | None, specs: Iterable[ToolSpec]) -> msgspec.Raw:
    """The choice on the wire, null for none."""
    if isinstance(choice, NamedTool):
        is_custom = any(spec.freeform for spec in specs if spec.name == choice.name)
        named = wire.NamedChoice(type="custom" if is_custom else "function", name=choice.name)
        return msgspec.Raw(_encoder.encode(named))
    return msgspec.Raw(_encoder.encode(choice))


def read_output(text: wire.TextOptions | None) -> Output | None:
    """`None` for free text, and for a format that only this dialect knows."""
    asked = text.format if text is not None else None
    if asked is None or asked.type not in ("json_object", "json_schema"):
        return None
    if asked.type == "json_object":
        return JsonObject()
    schema = JsonSchema(
        schema=json_text(asked.schema) or "{}", strict=asked.strict, description=asked.description
    )
    return replace(schema, name=asked.name) if asked.name else schema


def written_output(output: Output | None) -> wire.Format | None:
    """The format on the wire."""
    match output:
        case None:
            return None
        case JsonObject():
            return wire.Format(type="json_object")
        case JsonSchema():
            return wire.Format(
                type="json_schema",
                name=output.name,
                description=output.description,
                schema=msgspec.Raw(output.schema.encode()),
                strict=output.strict,
            )


def read_sampling(body: wire.Body) -> Sampling:
    """Log probabilities are told where they are included."""
    has_logprobs = LOGPROBS in (body.include or ())
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_output_tokens=body.max_output_tokens,
        logprobs=True if has_logprobs else None,
        top_logprobs=body.top_logprobs if has_logprobs else None,
    )


def surviving(sampling: Sampling) -> Sampling:
    """What a request of this dialect has room for."""
    return Sampling(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_output_tokens=sampling.max_output_tokens,
        logprobs=sampling.logprobs or None,
        top_logprobs=sampling.top_logprobs if sampling.logprobs else None,
    )


def read_reasoning(asked: wire.ReasoningOptions | None) -> Reasoning | None:
    """The effort, if it is one of the neutral scale."""
    effort = _EFFORTS.get(asked.effort) if asked is not None else None
    return Reasoning(effort=effort) if effort is not None else None


def knows_effort(asked: wire.ReasoningOptions | None) -> bool:
    """Whether the effort asked for is one of the neutral scale: servers have words of their own."""
    return asked is None or asked.effort is None or asked.effort in _EFFORTS


def _flattened(raws: Iterable[msgspec.Raw]) -> Iterator[tuple[msgspec.Raw, str]]:
    """The tools, those in a namespace with its name."""
    for raw in raws:
        if _tag.decode(raw).type == "namespace":
            group = _namespace.decode(raw)
            yield from ((tool, group.name) for tool in group.tools or ())
        else:
            yield raw, ""


def _function_spec(raw: msgspec.Raw, namespace: str) -> ToolSpec:
    function = _function.decode(raw)
    parameters = function.parameters
    return ToolSpec(
        name=flat_name(namespace, function.name),
        description=function.description,
        parameters="" if isinstance(parameters, msgspec.UnsetType) else json_text(parameters),
        strict=function.strict if isinstance(function.strict, bool) else None,
        namespace=namespace,
    )


def _custom_spec(raw: msgspec.Raw, namespace: str) -> ToolSpec:
    custom = _custom.decode(raw)
    return ToolSpec(
        name=flat_name(namespace, custom.name),
        description=custom.description,
        freeform=True,
        format=json_text(custom.format),
        namespace=namespace,
    )


def _written_spec(spec: ToolSpec) -> wire.Function | wire.Custom:
    if spec.freeform:
        custom = wire.Custom(type="custom", name=spec.name, description=spec.description)
        if spec.format:
            custom.format = msgspec.Raw(spec.format.encode())
        return custom
    parameters = msgspec.Raw(spec.parameters.encode()) if spec.parameters else wire.NULL
    return wire.Function(
        type="function",
        name=spec.name,
        description=spec.description,
        parameters=parameters,
        strict=bool(spec.strict),
    )
