"""Ollama's model list and model card."""

import re
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.conformance.conftest import ALIASES, Place
from tests.conformance.wire import Api
from tests.support.process import running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream, running_upstream

pytestmark = pytest.mark.e2e

CLOSED = {"completion", "tools", "insert", "vision", "embedding", "thinking", "audio"}
CONTEXT_TOKENS = 32768


def listed(api: Api) -> list[dict[str, Any]]:
    answer = api.get("/api/tags")
    assert answer.headers["content-type"].startswith("application/json")
    models: list[dict[str, Any]] = answer.json["models"]
    assert models
    return models


def moment(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    assert when.tzinfo is not None
    return when


@pytest.mark.conformance("ollama", 19, 20)
def test_every_entry_is_named_twice_and_with_a_tag(api: Api) -> None:
    models = listed(api)
    assert all(model["name"] == model["model"] and ":" in model["name"] for model in models)
    assert {"basic:latest", "me/ns:v1"} <= {model["name"] for model in models}


@pytest.mark.conformance("ollama", 21)
def test_size_digest_and_date_are_real_and_stable(api: Api) -> None:
    first, second = listed(api), listed(api)
    for model in first:
        assert isinstance(model["size"], int)
        assert model["size"] > 0
        assert re.fullmatch("[0-9a-f]{64}", model["digest"])
        moment(model["modified_at"])
    assert [model["digest"] for model in first] == [model["digest"] for model in second]


@pytest.mark.conformance("ollama", 22, 23)
def test_details_are_complete_and_nothing_expires(api: Api) -> None:
    for model in listed(api):
        details = model["details"]
        assert isinstance(details["parent_model"], str)
        assert all(details[key] for key in ("format", "family", "parameter_size", "quantization_level"))
        assert details["families"] is None or all(isinstance(name, str) for name in details["families"])
        assert "expires_at" not in model


@pytest.mark.conformance("ollama", 24, 25)
def test_capabilities_are_of_the_known_words_and_entries_newest_first(api: Api) -> None:
    models = listed(api)
    assert all(set(model["capabilities"]) <= CLOSED for model in models)
    dates = [moment(model["modified_at"]) for model in models]
    assert dates == sorted(dates, reverse=True)
    assert set(Counter(model["name"] for model in models).values()) == {1}


@pytest.mark.conformance("ollama", 26, 27)
def test_providers_that_hang_or_fail_delay_and_spoil_nothing(place: Place, tmp_path_factory: Any) -> None:
    if place.relay is None:
        listed(place.api)
    folder = tmp_path_factory.mktemp("hanging")
    with running_upstream(ScriptedUpstream(listing="hang")) as hanging, running_upstream() as healthy:
        providers = {
            "hangs": {"kind": "ollama", "base_url": hanging.base_url},
            "fails": {"kind": "ollama", "base_url": "http://127.0.0.1:9"},
            "works": {"kind": "ollama", "base_url": healthy.base_url},
        }
        write_relay_toml(folder, {"providers": providers})
        with running_server(folder) as relay:
            deadline = time.monotonic() + 5
            models: list[Any] = []
            while not models and time.monotonic() < deadline:
                began = time.monotonic()
                answer = Api(relay.port).get("/api/tags")
                assert time.monotonic() - began < 1.0
                assert answer.status == 200
                models = answer.json["models"]
    assert {model["name"].partition("/")[0] for model in models} == {"works"}


@pytest.mark.conformance("ollama", 28)
def test_a_card_is_found_by_either_key_and_any_spelling(api: Api) -> None:
    cards = [
        api.post("/api/show", {"model": "basic"}),
        api.post("/api/show", {"name": "basic"}),
        api.post("/api/show", {"model": "BASIC:latest"}),
    ]
    assert [card.status for card in cards] == [200] * 3
    assert "model_info" in cards[0].json
    assert len({card.body for card in cards}) == 1


@pytest.mark.conformance("ollama", 29)
def test_the_card_tells_architecture_and_context(api: Api) -> None:
    info = api.post("/api/show", {"model": "basic"}).json["model_info"]
    assert info[f"{info['general.architecture']}.context_length"] == CONTEXT_TOKENS


@pytest.mark.conformance("ollama", 30)
def test_card_and_list_say_the_same(api: Api) -> None:
    entries = {model["name"]: model for model in listed(api)}
    for name in ALIASES:
        card = api.post("/api/show", {"model": name}).json
        entry = entries[name if ":" in name else f"{name}:latest"]
        assert card["capabilities"] == entry["capabilities"]
        assert card["details"]["family"] == entry["details"]["family"]
        assert all(
            card["details"][key] for key in ("format", "family", "parameter_size", "quantization_level")
        )


@pytest.mark.conformance("ollama", 31)
def test_an_embedding_model_is_called_one(api: Api) -> None:
    capabilities = api.post("/api/show", {"model": "emb"}).json["capabilities"]
    assert "embedding" in capabilities
    assert "completion" not in capabilities


@pytest.mark.conformance("ollama", 32)
def test_parameters_are_lines_of_key_and_value_if_there_are_any(api: Api) -> None:
    card = api.post("/api/show", {"model": "basic"}).json
    assert "details" in card
    for line in card.get("parameters", "").splitlines():
        assert re.fullmatch(r"\S+\s+.+", line)


@pytest.mark.conformance("ollama", 33)
def test_copilot_is_told_the_name_it_asked_for(api: Api) -> None:
    card = api.post("/api/show", {"model": "basic"}, user_agent="GitHubCopilotChat/1.0").json
    assert card["model_info"]["general.basename"] == "basic"


@pytest.mark.conformance("ollama", 34)
def test_a_card_without_a_name_or_of_nobody_is_refused(api: Api) -> None:
    nameless, unknown = api.post("/api/show", {}), api.post("/api/show", {"model": "zzz"})
    assert (nameless.status, nameless.json) == (400, {"error": "model is required"})
    assert (unknown.status, unknown.json) == (404, {"error": "model 'zzz:latest' not found"})


@pytest.mark.conformance("ollama", 35, 97)
def test_what_was_just_used_counts_as_loaded(api: Api) -> None:
    hello = [{"role": "user", "content": "hi"}]
    api.post("/api/chat", {"model": "basic", "messages": hello, "stream": False, "keep_alive": "10m"})
    loaded = {model["name"]: model for model in api.get("/api/ps").json["models"]}
    entry = loaded["basic:latest"]
    assert isinstance(entry["size_vram"], int)
    assert isinstance(entry["context_length"], int)
    assert entry["details"]["family"]
    seconds = moment(entry["expires_at"]).timestamp() - time.time()
    assert 500 < seconds < 700
