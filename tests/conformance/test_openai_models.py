"""OpenAI's list of models and one model of it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conformance.asking import error_of
from tests.conformance.conftest import ALIASES, Place, relay_with
from tests.conformance.wire import Api
from tests.support.official_clients import openai_client
from tests.support.relay_toml import Toml
from tests.support.upstream import ScriptedUpstream, running_upstream

pytestmark = pytest.mark.e2e


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"/v1/models{query}")
    assert answer.status == 200
    models: list[dict[str, Any]] = answer.json["data"]
    assert models
    return models


@pytest.mark.conformance("openai", 23)
def test_the_list_parses_with_openai_python_and_has_what_anthropics_page_has(api: Api) -> None:
    with openai_client(api.url) as client:
        models = client.models.list().data
    assert models
    assert {model.object for model in models} == {"model"}
    assert all(model.owned_by and model.created > 0 for model in models)
    page = api.get("/v1/models").json
    assert (page["object"], page["has_more"]) == ("list", False)
    assert (page["first_id"], page["last_id"]) == (models[0].id, models[-1].id)
    for model in page["data"]:
        assert model["type"] == "model"
        assert model["display_name"]
        assert model["created_at"].endswith("Z")


@pytest.mark.conformance("openai")
def test_ids_are_unique_and_dates_stay(api: Api) -> None:
    first, second = listed(api), listed(api)
    assert len({model["id"] for model in first}) == len(first)
    assert [(model["id"], model["created"]) for model in first] == [
        (model["id"], model["created"]) for model in second
    ]


@pytest.mark.conformance("openai", 24)
@pytest.mark.parametrize("name", ["up/basic", "me/ns:v1"])
def test_a_slash_in_an_id_may_be_encoded_or_not(api: Api, name: str) -> None:
    raw, encoded = api.get(f"/v1/models/{name}"), api.get(f"/v1/models/{name.replace('/', '%2F')}")
    assert (raw.status, raw.json["id"]) == (200, name)
    assert encoded.json == raw.json
    with openai_client(api.url) as client:
        assert client.models.retrieve(name).id == name


@pytest.mark.conformance("openai", 25)
@pytest.mark.parametrize("name", ["oll/basic:latest", "me/ns:v1", "plain:latest"])
def test_an_id_with_a_colon_is_found(api: Api, name: str) -> None:
    with openai_client(api.url) as client:
        assert client.models.retrieve(name).id == name


@pytest.mark.conformance("openai", 26)
def test_an_unknown_id_is_not_found(api: Api) -> None:
    answer = api.get("/v1/models/nobody/nothing")
    assert answer.status == 404
    assert error_of(answer)["code"] == "model_not_found"
    with openai_client(api.url) as client, pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody/nothing")


@pytest.mark.conformance("openai", 27)
def test_the_list_is_whole_and_waits_for_no_provider(place: Place, tmp_path: Path) -> None:
    with running_upstream(ScriptedUpstream(listing="hang")) as hanging:
        settings: Mapping[str, Toml] = {
            "providers": {
                "hangs": {"kind": "openai-compatible", "base_url": hanging.openai_url},
                "gone": {
                    "kind": "openai-compatible",
                    "base_url": "http://127.0.0.1:9/v1",
                    "models": [f"m{number}" for number in range(100)],
                },
            },
            "models": {"alias": {"target": "gone/m0"}},
        }
        with relay_with(place, tmp_path, settings) as api:
            began = time.monotonic()
            models = listed(api, "?limit=1000")
            assert time.monotonic() - began < 1.0
            assert len(models) == 101
            assert api.get("/v1/models?limit=1000").json["has_more"] is False


@pytest.mark.conformance("openai")
def test_aliases_and_pools_are_listed_and_redirects_are_not(place: Place, tmp_path: Path) -> None:
    assert {model["id"] for model in listed(place.api)} >= set(ALIASES)
    settings: Mapping[str, Toml] = {
        "providers": {
            "up": {
                "kind": "openai-compatible",
                "base_url": place.upstream.openai_url,
                "models": ["basic", "echo"],
            }
        },
        "models": {
            "pool": {"targets": [{"model": "up/basic"}, {"model": "up/echo"}]},
            "hidden": {"redirect": "up/basic"},
        },
    }
    with relay_with(place, tmp_path, settings) as api:
        assert {model["id"] for model in listed(api)} == {"pool", "up/basic", "up/echo"}
