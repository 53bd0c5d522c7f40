"""Reasoning through OpenAI's chat: how much is asked of each provider, and how it comes back."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance.asking import (
    TEXT,
    chat,
    deltas_of,
    every_provider,
    message_of,
    streamed_or_whole,
)
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Api
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

EFFORTS: Mapping[str, Mapping[str, str | None]] = {
    "openai": {"none": "none", "low": "low", "max": "max"},
    "openai-compatible": {"none": "none", "low": "low", "max": "max"},
    "deepseek": {"none": None, "low": "low", "max": "max"},
    "mistral": {"none": "none", "low": "high", "max": "high"},
    "together": {"none": None, "low": "low", "max": "high"},
    "fireworks": {"none": "none", "low": "low", "max": "high"},
    "cerebras": {"none": "none", "low": "low", "max": "high"},
}
"""By kind that is called by chat: what it is told of each effort, `None` being a setting in `OFF`."""

OFF: Mapping[str, Mapping[str, object]] = {
    "deepseek": {"thinking": {"type": "disabled"}},
    "together": {"reasoning": {"enabled": False}},
}
CLAMPED = {"mistral": "high", "together": "high", "fireworks": "high", "cerebras": "high"}
ASKING = {"reasoning_effort", "reasoning", "thinking", "think"}

each_kind = pytest.mark.parametrize("kind", list(EFFORTS))


@pytest.fixture(scope="module")
def kinds(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay with a provider of each kind, all of them the scripted one."""
    providers = {
        kind: {"kind": kind, "base_url": place.upstream.openai_url, "api_key": "sk-test", "models": ["think"]}
        for kind in EFFORTS
    }
    with relay_with(place, tmp_path_factory.mktemp("kinds"), {"providers": providers}) as api:
        yield api


def asked(api: Api, upstream: ScriptedUpstream, model: str, effort: str | None) -> dict[str, Any]:
    """What the provider is told of reasoning when the client wants this much."""
    options = {} if effort is None else {"reasoning_effort": effort}
    assert message_of(chat(api, model, **options))["content"] == TEXT
    body = upstream.ledger.chats[-1].body
    return {name: value for name, value in body.items() if name in ASKING}


@pytest.mark.conformance("openai")
@each_kind
def test_an_effort_is_told_in_each_providers_words(kinds: Api, upstream: ScriptedUpstream, kind: str) -> None:
    for effort, word in EFFORTS[kind].items():
        expected = OFF[kind] if word is None else {"reasoning_effort": word}
        assert asked(kinds, upstream, f"{kind}/think", effort) == expected
    assert asked(kinds, upstream, f"{kind}/think", None) == {}


@pytest.mark.conformance("openai")
@pytest.mark.parametrize(("effort", "think"), [("none", False), ("low", "low"), ("max", "max"), (None, None)])
def test_an_effort_is_told_in_ollamas_words(
    api: Api, upstream: ScriptedUpstream, effort: str | None, think: object
) -> None:
    assert asked(api, upstream, "oll/think", effort) == ({} if think is None else {"think": think})


@pytest.mark.conformance("openai", 84)
@pytest.mark.parametrize("kind", list(CLAMPED))
def test_an_effort_that_a_provider_lacks_becomes_the_nearest(
    kinds: Api, upstream: ScriptedUpstream, kind: str
) -> None:
    assert asked(kinds, upstream, f"{kind}/think", "xhigh") == {"reasoning_effort": CLAMPED[kind]}


@pytest.mark.conformance("openai", 84)
def test_ollama_is_asked_for_the_most_it_has(api: Api, upstream: ScriptedUpstream) -> None:
    assert asked(api, upstream, "oll/think", "xhigh") == {"think": "max"}


@pytest.mark.conformance("openai", 85)
@pytest.mark.parametrize(
    "model", ["up/think?field=reasoning", "up/think?field=reasoning_content", "oll/think"]
)
def test_reasoning_under_any_name_comes_out_before_the_text(api: Api, model: str) -> None:
    deltas = deltas_of(chat(api, model, stream=True))
    thoughts = [place for place, delta in enumerate(deltas) if delta.get("reasoning_content")]
    texts = [place for place, delta in enumerate(deltas) if delta.get("content")]
    assert "".join(deltas[place]["reasoning_content"] for place in thoughts) == "h00 h01 h02 "
    assert "".join(deltas[place]["content"] for place in texts) == TEXT
    assert max(thoughts) < min(texts)
    assert message_of(chat(api, model))["reasoning_content"] == "h00 h01 h02 "


TAGGED = "<think>\nIs it 漢字?\n</think>\n\nIt is."


def repeated(api: Api, model: str, text: str, *, stream: bool) -> tuple[str, str]:
    """What a provider that says what it was told is understood to have thought and said."""
    answer = chat(api, model, messages=[{"role": "user", "content": text}], stream=stream)
    deltas = deltas_of(answer) if stream else [message_of(answer)]
    thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    return thought, "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.conformance("openai", 86)
@streamed_or_whole
@pytest.mark.parametrize("model", ["echo", "fault/split?of=echo&n=1"])
def test_thoughts_in_the_text_are_taken_out_where_a_provider_is_known_for_them(
    api: Api, model: str, stream: bool
) -> None:
    said = repeated(api, f"tagged/{model}", TAGGED, stream=stream)
    assert said == ("Is it 漢字?\n", "It is.")


@pytest.mark.conformance("openai", 86)
@streamed_or_whole
@every_provider
def test_other_providers_may_speak_of_thinking(api: Api, provider: str, stream: bool) -> None:
    assert repeated(api, f"{provider}/echo", TAGGED, stream=stream) == ("", TAGGED)


@pytest.mark.conformance("openai")
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_reasoning_is_counted_among_the_output(api: Api, provider: str) -> None:
    usage = chat(api, f"{provider}/think").json["usage"]
    assert usage["completion_tokens"] == 7
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 3
