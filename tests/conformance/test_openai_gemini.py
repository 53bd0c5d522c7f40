"""Google's models through OpenAI's chat: schemas as clients write them, and efforts in each family's words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.asking import chat, message_of
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Api
from tests.support.upstream.taped import TapedAnswer, TapedProvider, running_tape

pytestmark = pytest.mark.e2e

ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "yes"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
EFFORTS: dict[str, dict[str | None, Any]] = {
    "gemini-3-flash": {
        "none": {"thinkingLevel": "minimal"},
        "low": {"includeThoughts": True, "thinkingLevel": "low"},
        "max": {"includeThoughts": True, "thinkingLevel": "high"},
        None: None,
    },
    "gemini-2.5-flash": {
        "none": {"thinkingBudget": 0},
        "low": {"includeThoughts": True, "thinkingBudget": 1024},
        "max": {"includeThoughts": True, "thinkingBudget": 24576},
        None: None,
    },
}
DRAFT = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tape() -> Iterator[TapedProvider]:
    with running_tape() as running:
        yield running


@pytest.fixture(scope="module")
def gemini(place: Place, tape: TapedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay before a provider of Google's kind."""
    provider = {"kind": "gemini", "base_url": tape.base_url, "api_key": "canary", "models": list(EFFORTS)}
    with relay_with(place, tmp_path_factory.mktemp("gemini"), {"providers": {"gem": provider}}) as api:
        yield api


def sent(api: Api, tape: TapedProvider, model: str, **options: Any) -> Any:
    """What the provider is told."""
    tape.calls.clear()
    tape.answers[:] = [TapedAnswer(pieces=[json.dumps(ANSWER).encode()])]
    assert message_of(chat(api, f"gem/{model}", **options))["content"] == "yes"
    return json.loads(tape.calls[0].body)


@pytest.mark.conformance("openai", 81)
def test_a_schema_with_its_draft_and_closed_objects_reaches_gemini(gemini: Api, tape: TapedProvider) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": DRAFT}}
    body = sent(gemini, tape, "gemini-3-flash", tools=[tool])
    [declared] = body["tools"][0]["functionDeclarations"]
    kept = {name: value for name, value in DRAFT.items() if name != "$schema"}
    assert declared == {"name": "look", "parametersJsonSchema": kept}


@pytest.mark.conformance("openai")
@pytest.mark.parametrize("model", list(EFFORTS))
def test_an_effort_is_told_in_geminis_words(gemini: Api, tape: TapedProvider, model: str) -> None:
    for effort, told in EFFORTS[model].items():
        options = {} if effort is None else {"reasoning_effort": effort}
        config = sent(gemini, tape, model, **options).get("generationConfig")
        assert config == (None if told is None else {"thinkingConfig": told})
