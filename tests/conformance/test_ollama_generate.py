"""Ollama's generate, load and unload, and its embeddings."""

import math
from typing import Any

import pytest

from tests.conformance.wire import Answer, Api
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

TEXT = "000 001 002 003 "
EMBEDDER = "embed"
METRICS = {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration"}

both = pytest.mark.parametrize("provider", ["oll", "up"])


def generate(api: Api, model: str, **options: Any) -> Answer:
    return api.post("/api/generate", {"model": model, "prompt": "hi", **options})


@pytest.mark.conformance("ollama", 92)
@both
def test_a_whole_generation_has_a_response_and_no_message(api: Api, provider: str) -> None:
    answer = generate(api, f"{provider}/basic", stream=False).json
    assert (answer["response"], answer["done"]) == (TEXT, True)
    assert "message" not in answer
    assert all(isinstance(answer[key], int) and answer[key] > 0 for key in METRICS)


@pytest.mark.conformance("ollama", 93)
@both
def test_a_streamed_generation_ends_with_an_empty_response(api: Api, provider: str) -> None:
    *lines, last = generate(api, f"{provider}/basic").lines
    assert "".join(line["response"] for line in lines) == TEXT
    assert (last["response"], last["done"]) == ("", True)
    assert not any("context" in line or line["done"] for line in lines)
    assert all(isinstance(number, int) for number in last.get("context", []))


@pytest.mark.conformance("ollama", 94, 95)
@pytest.mark.parametrize(("options", "reason"), [({}, "load"), ({"keep_alive": 0}, "unload")])
def test_a_generation_without_a_prompt_loads_or_unloads_without_the_provider(
    api: Api, upstream: ScriptedUpstream, options: dict[str, Any], reason: str
) -> None:
    answer = api.post("/api/generate", {"model": "basic", **options})
    assert answer.headers["content-type"].startswith("application/json")
    assert (answer.json["response"], answer.json["done"], answer.json["done_reason"]) == ("", True, reason)
    assert not METRICS & set(answer.json)
    assert upstream.ledger.calls == []
    loaded = {model["name"] for model in api.get("/api/ps").json["models"]}
    assert ("basic:latest" in loaded) is (reason == "load")


@pytest.mark.conformance("ollama", 98)
@both
def test_raw_mode_takes_no_system(api: Api, provider: str) -> None:
    answer = generate(api, f"{provider}/basic", raw=True, system="be brief")
    assert answer.status == 400
    assert answer.json["error"] == "raw mode does not support template, system, or context"


@pytest.mark.conformance("ollama", 99)
def test_a_suffix_needs_a_model_that_inserts(api: Api) -> None:
    answer = generate(api, "plain", suffix="end")
    assert answer.status == 400
    assert "does not support insert" in answer.json["error"]


@pytest.mark.conformance("ollama", 100)
def test_generate_of_nobody_and_by_an_embedder_is_refused(api: Api) -> None:
    answer = generate(api, "zzz")
    assert (answer.status, answer.json) == (404, {"error": "model 'zzz' not found"})
    embedder = generate(api, "emb")
    assert (embedder.status, embedder.json) == (400, {"error": '"emb" does not support generate'})


@pytest.mark.conformance("ollama", 101)
@both
@pytest.mark.parametrize(
    ("value", "count"), [("a", 1), (["a", "b"], 2), ("", 0), ([], 0), (None, 0), ([""], 1)]
)
def test_embeddings_are_as_many_as_the_inputs(api: Api, provider: str, value: object, count: int) -> None:
    answer = api.post("/api/embed", {"model": f"{provider}/{EMBEDDER}", "input": value})
    assert (answer.status, len(answer.json["embeddings"])) == (200, count)


@pytest.mark.conformance("ollama", 102)
@both
@pytest.mark.parametrize("dimensions", [None, 2])
def test_embeddings_have_unit_length(api: Api, provider: str, dimensions: int | None) -> None:
    body = {"model": f"{provider}/{EMBEDDER}", "input": ["a", "b"]}
    answer = api.post("/api/embed", body | ({"dimensions": dimensions} if dimensions else {}))
    for vector in answer.json["embeddings"]:
        assert math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-3)
        assert dimensions is None or len(vector) == dimensions


@pytest.mark.conformance("ollama", 103)
@both
@pytest.mark.parametrize("value", [[1], {}])
def test_other_kinds_of_input_are_refused(api: Api, provider: str, value: object) -> None:
    answer = api.post("/api/embed", {"model": f"{provider}/{EMBEDDER}", "input": value})
    assert (answer.status, answer.json) == (400, {"error": "invalid input type"})


@pytest.mark.conformance("ollama", 104)
@both
def test_the_old_route_has_one_embedding(api: Api, provider: str) -> None:
    full = api.post("/api/embeddings", {"model": f"{provider}/{EMBEDDER}", "prompt": "a"}).json
    assert list(full) == ["embedding"]
    assert all(isinstance(number, float) for number in full["embedding"])
    assert full["embedding"]
    empty = api.post("/api/embeddings", {"model": f"{provider}/{EMBEDDER}", "prompt": ""}).json
    assert empty == {"embedding": []}
