"""A field that a model turns out to refuse is left out, once found and then for an hour."""

import json
from typing import Any

import pytest

from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.refused_fields import (
    MAX_REMEMBERED,
    REMEMBERED_S,
    RefusedFields,
    refused_field,
    without,
)
from relay.domain.chat import ChatRequest, Message, Reasoning, Sampling, Text
from relay.domain.errors import Limited, Rejected
from tests.support.fakes_http import RecordingHttp, ScriptedResponse, whole
from tests.support.provider_rows import ANSWER
from tests.support.upstream_calls import backend_for, outcome, upstream_call

SAID = "Unsupported value: 'temperature' does not support 0.8 with this model."
ASKED = ChatRequest(
    model="m",
    messages=(Message(role="user", parts=(Text(text="hi"),)),),
    sampling=Sampling(temperature=0.8, stop=("x",), max_output_tokens=5),
    reasoning=Reasoning(effort="low"),
)


class Hands:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def unix_ms(self) -> int:
        return 0

    def unix_ns(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("message", "code", "name"),
    [
        (SAID, "unsupported_value", "temperature"),
        ("Unsupported parameter: 'stop' is not supported with this model.", "unsupported_parameter", "stop"),
        ("Unsupported parameter: 'reasoning.effort' is not supported", "unsupported_parameter", "reasoning"),
        ("Unsupported parameter: 'max_output_tokens' is not supported", "unsupported_parameter", None),
        ("Unsupported parameter: 'tools' is not supported", "unsupported_parameter", None),
        (SAID, "invalid_value", None),
        ("no name", "unsupported_value", None),
    ],
)
def test_a_refusal_names_the_field_it_is_for(message: str, code: str, name: str | None) -> None:
    assert refused_field(Rejected(message, code=code)) == name
    assert refused_field(Limited(message, code=code)) is None


def test_a_request_loses_what_it_had_and_nothing_else() -> None:
    less, lost = without(ASKED, ("temperature", "seed", "reasoning_effort", "stop"))
    assert lost == ("temperature", "reasoning_effort", "stop")
    assert less.sampling == Sampling(max_output_tokens=5)
    assert less.reasoning is None
    assert without(ASKED, ()) == (ASKED, ())


def test_what_is_remembered_is_forgotten_after_an_hour() -> None:
    clock = Hands()
    refused = RefusedFields(clock)
    refused.remember("m", "stop")
    assert refused.of("m") == ("stop",)
    assert refused.of("n") == ()
    clock.now_s += REMEMBERED_S
    assert refused.of("m") == ()


def test_not_every_model_of_the_world_is_remembered() -> None:
    refused = RefusedFields(Hands())
    for number in range(MAX_REMEMBERED + 1):
        refused.remember(f"m-{number}", "stop")
    assert refused.of("m-0") == ()
    assert refused.of(f"m-{MAX_REMEMBERED}") == ("stop",)


def choosy(request: HttpRequest) -> ScriptedResponse:
    """A model that takes no temperature."""
    if "temperature" in json.loads(request.body):
        return whole({"error": {"message": SAID, "code": "unsupported_value"}}, status=400)
    return whole(ANSWER)


@pytest.mark.anyio
async def test_a_call_is_made_once_more_without_it_and_the_next_one_without_it_at_once() -> None:
    http = RecordingHttp(choosy)
    backend = backend_for("openai", http)
    options: dict[str, Any] = {"temperature": 0.8, "top_p": 0.5}
    for calls in (2, 3):
        result = await outcome(backend, upstream_call("ollama.chat", stream=False, options=options))
        assert result.is_complete
        assert result.losses == ("temperature",)
        assert len(http.requests) == calls
    assert json.loads(http.requests[-1].body)["top_p"] == 0.5
    assert all(response.closed for response in http.responses)


@pytest.mark.anyio
async def test_a_client_of_the_providers_own_dialect_gets_the_refusal_as_it_is() -> None:
    http = RecordingHttp(choosy)
    result = await outcome(backend_for("openai", http), upstream_call("openai.chat", temperature=0.8))
    assert result.failure is not None
    assert result.failure.code == "unsupported_value"
    assert len(http.requests) == 1


@pytest.mark.anyio
async def test_a_refusal_that_leaving_out_does_not_mend_is_told() -> None:
    http = RecordingHttp(
        lambda request: whole({"error": {"message": SAID, "code": "unsupported_value"}}, status=400)
    )
    call = upstream_call("ollama.chat", stream=False, options={"temperature": 0.8})
    result = await outcome(backend_for("openai", http), call)
    assert isinstance(result.failure, Rejected)
    assert len(http.requests) == 2
