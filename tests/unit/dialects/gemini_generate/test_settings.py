"""Settings of requests to Gemini, by family of models, and what of them is lost."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.gemini_generate import DIALECT
from relay.adapters.dialects.gemini_generate.families import FAMILIES, family_of
from relay.domain.chat import Effort, HostedTool, JsonSchema, NamedTool, Reasoning, Sampling, ToolSpec
from tests.unit.dialects.gemini_generate.asking import asked, losses, sent


def config(**settings: Any) -> Any:
    return sent(asked(**settings)).get("generationConfig")


def test_functions_come_first_and_then_what_google_runs_itself() -> None:
    tools = (ToolSpec(name="look", description="Looks.", strict=True), ToolSpec(name="free", freeform=True))
    hosted = (
        HostedTool(origin="gemini.generate", json='{"googleSearch":{}}'),
        HostedTool(origin="openai.responses", json='{"type":"web_search"}'),
    )
    request = asked(tools=tools, hosted_tools=hosted, tool_choice=NamedTool(name="look"))
    body = sent(request)
    [functions, search] = body["tools"]
    assert functions["functionDeclarations"][0] == {"name": "look", "description": "Looks."}
    assert functions["functionDeclarations"][1]["parametersJsonSchema"]["required"] == ["input"]
    assert search == {"googleSearch": {}}
    calling = {"mode": "ANY", "allowedFunctionNames": ["look"]}
    assert body["toolConfig"] == {"functionCallingConfig": calling}
    assert DIALECT.encode_request(request).losses == ("tools.strict", "tools.web_search")


def test_a_choice_among_no_tools_is_not_sent() -> None:
    assert "toolConfig" not in sent(asked(tool_choice="required"))


def test_old_models_take_schemas_of_openapi() -> None:
    spec = ToolSpec(name="look", parameters='{"type":"object"}')
    [tool] = sent(asked(model="gemini-2.0-flash", tools=(spec,)))["tools"]
    assert tool["functionDeclarations"] == [{"name": "look", "parameters": {"type": "object"}}]


ZOD = (
    '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false,'
    '"properties":{"$schema":{"type":["string","null"],"const":"x"},"n":{"anyOf":[{"type":"integer",'
    '"exclusiveMinimum":1.50}]},"l":{"type":"array","items":{"$ref":"#/x"}}},"required":["n"]}'
)


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        (
            "gemini-3-flash",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "$schema": {"type": ["string", "null"], "const": "x"},
                    "n": {"anyOf": [{"type": "integer", "exclusiveMinimum": 1.5}]},
                    "l": {"type": "array", "items": {"$ref": "#/x"}},
                },
                "required": ["n"],
            },
        ),
        (
            "gemini-2.0-flash",
            {
                "type": "object",
                "properties": {
                    "$schema": {"type": "string", "nullable": True},
                    "n": {"anyOf": [{"type": "integer"}]},
                    "l": {"type": "array", "items": {}},
                },
                "required": ["n"],
            },
        ),
    ],
)
def test_a_schema_is_freed_of_what_the_model_refuses(model: str, taken: Any) -> None:
    output = JsonSchema(schema=ZOD)
    body = sent(asked(model=model, tools=(ToolSpec(name="look", parameters=ZOD),), output=output))
    [declared] = body["tools"][0]["functionDeclarations"]
    assert declared.get("parametersJsonSchema") == (taken if model == "gemini-3-flash" else None)
    assert declared.get("parameters") == (None if model == "gemini-3-flash" else taken)
    config = body["generationConfig"]
    assert config.get("responseJsonSchema", config.get("responseSchema")) == taken
    once = DIALECT.decode_request(b'{"model":"%b",' % model.encode() + json.dumps(body).encode()[1:])
    assert sent(once)["generationConfig"] == config, "a fixed point"


def test_a_schema_that_is_not_touched_keeps_its_spelling() -> None:
    spec = ToolSpec(name="look", parameters=' {"type": "object", "maximum": 1.50} ')
    assert b'{"type": "object", "maximum": 1.50}' in DIALECT.encode_request(asked(tools=(spec,))).body


@pytest.mark.parametrize(
    ("model", "asked_for", "written"),
    [
        ("gemini-3-flash", Reasoning(), {"includeThoughts": True}),
        ("gemini-3-flash", Reasoning(effort="none"), {"thinkingLevel": "minimal"}),
        ("gemini-3.1-pro", Reasoning(effort="none"), {"thinkingLevel": "low"}),
        ("gemini-3-flash", Reasoning(effort="max"), {"includeThoughts": True, "thinkingLevel": "high"}),
        ("gemini-3-flash", Reasoning(budget_tokens=5000), {"includeThoughts": True, "thinkingLevel": "medium"}),
        ("gemini-2.5-flash", Reasoning(), {"includeThoughts": True}),
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(effort="none"), {"thinkingBudget": 128}),
        ("gemini-2.5-flash", Reasoning(effort="low"), {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", Reasoning(budget_tokens=99999), {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=9), {"includeThoughts": True, "thinkingBudget": 512}),
        ("gemini-2.5-flash-lite", Reasoning(effort="none"), {"thinkingBudget": 0}),
    ],
)  # fmt: skip
def test_how_much_to_think_is_a_level_or_a_budget(model: str, asked_for: Reasoning, written: Any) -> None:
    assert config(model=model, reasoning=asked_for) == {"thinkingConfig": written}


@pytest.mark.parametrize(
    ("model", "asked_for", "lost"),
    [
        ("gemini-3-flash", Reasoning(effort="low"), ()),
        ("gemini-3-flash", Reasoning(effort="max"), ("reasoning.effort",)),
        ("gemini-3-flash", Reasoning(budget_tokens=5000), ("reasoning.budget_tokens",)),
        ("gemini-2.5-flash", Reasoning(effort="low"), ()),
        ("gemini-2.5-flash", Reasoning(budget_tokens=99999), ("reasoning.budget_tokens",)),
        ("gemini-2.0-flash", Reasoning(effort="low"), ("reasoning.effort",)),
    ],
)
def test_thinking_that_is_not_as_asked_for_is_told(
    model: str, asked_for: Reasoning, lost: tuple[str, ...]
) -> None:
    assert losses(model=model, reasoning=asked_for) == lost


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
@pytest.mark.parametrize("model", [*(glob.replace("*", "x") for glob, _ in FAMILIES), "gemini-9"])
def test_no_effort_fails_in_any_family(model: str, effort: Effort) -> None:
    written = (config(model=model, reasoning=Reasoning(effort=effort)) or {}).get("thinkingConfig", {})
    family = family_of(model)
    assert ("thinkingLevel" in written) == (family.thinking == "level")
    assert ("thinkingBudget" in written) == (family.thinking == "budget")


def test_settings_without_a_word_are_lost() -> None:
    sampling = Sampling(
        min_p=0.1, repeat_penalty=1.1, seed=2**40, top_k=5, stop=("a", "", "b", "c", "d", "e", "f")
    )
    assert config(sampling=sampling) == {"topK": 5, "stopSequences": ["a", "b", "c", "d", "e"]}
    assert losses(sampling=sampling) == ("min_p", "repeat_penalty", "seed", "stop")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('{"thinkingBudget":0}', Reasoning(effort="none")),
        ('{"thinkingBudget":-1}', Reasoning()),
        ('{"thinkingBudget":512}', Reasoning(budget_tokens=512)),
        ('{"thinkingLevel":"HIGH"}', Reasoning(effort="high")),
        ('{"includeThoughts":true}', Reasoning()),
        ('{"includeThoughts":false}', None),
    ],
)
def test_the_words_for_thinking_are_understood(given: str, read: Reasoning | None) -> None:
    config = f'"generationConfig":{{"thinkingConfig":{given}}}'
    body = f'{{"model":"m","contents":[{{"parts":{{"text":"hi"}}}}],{config}}}'
    assert DIALECT.decode_request(body.encode()).reasoning == read
