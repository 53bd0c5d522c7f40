"""Embeddings through the real relay: every client on every provider, and each attempt a row."""

import http.client
import json
import math
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import ollama
import openai
import pytest

from tests.e2e.conftest import relay_settings, wait_until_listed
from tests.support.books import Row, row_of, settled_rows
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream, running_upstream
from tests.support.upstream.embeddings import scaled, vector_of

pytestmark = pytest.mark.e2e

TEXTS = ["first", "second and longer", "drittes ü"]
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])
path_of = pytest.mark.parametrize("path", ["/v1/embeddings", "/api/embed", "/api/embeddings"])


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream(ScriptedUpstream(models=(*DEFAULT_MODELS, "embed"))) as server:
        yield server


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("relay")
    settings: dict[str, Any] = dict(relay_settings(upstream))
    settings["providers"] |= {
        "mis": {"kind": "mistral", "base_url": upstream.openai_url, "api_key": "sk-mis", "models": ["embed"]},
        "chatty": {"kind": "groq", "base_url": upstream.openai_url, "api_key": "sk-g", "models": ["embed"]},
    }
    settings["models"] = {
        "vectors": {
            "targets": [{"model": "chatty/embed"}, {"model": "up/fault/503?of=embed"}, {"model": "oll/embed"}]
        }
    }
    write_relay_toml(folder, settings)
    with running_server(folder) as server:
        wait_until_listed(server, ("up", "oll"))
        yield server


def close_to(vector: Sequence[float] | str, wanted: Sequence[float]) -> bool:
    return len(vector) == len(wanted) and all(
        math.isclose(one, other, abs_tol=1e-6) for one, other in zip(map(float, vector), wanted, strict=True)
    )


def post(relay: ServerProcess, path: str, **members: object) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=30)
    connection.request("POST", path, json.dumps(members))
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer, response.headers


def text(path: str, given: str = "a") -> dict[str, object]:
    return {"prompt": given} if path == "/api/embeddings" else {"input": given}


def booked(relay: ServerProcess, upstream: ScriptedUpstream, request_id: str) -> Row:
    """The one row of a request, its tokens those of the provider's own books."""
    row = row_of(relay.folder, request_id)
    call = upstream.ledger.embeddings[-1]
    assert (row["outcome"], row["status"], row["stream"]) == ("ok", 200, False)
    assert row["usage"]["input_tokens"] == call.tokens_in
    assert row["request_id"] == call.request_id
    return row


@provider_of
def test_openais_client_on_each_provider(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    ids: list[str] = []
    with openai_client(relay.url, ids) as client:
        answer = client.embeddings.create(model=f"{provider}/embed?dims=16", input=TEXTS, user="u-1")
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert all(
        close_to(item.embedding, vector_of(given, 16)) for item, given in zip(answer.data, TEXTS, strict=True)
    )
    assert answer.model == f"{provider}/embed?dims=16"
    row = booked(relay, upstream, ids[0])
    assert (row["provider"], row["dialect"], row["resolved_by"]) == (provider, "openai.embeddings", "prefix")
    assert row["usage_source"] == "reported"
    assert answer.usage.prompt_tokens == row["usage"]["input_tokens"]
    assert list(row["losses"]) == ([] if provider == "up" else ["openai.embeddings:user"])


@provider_of
def test_ollamas_client_on_each_provider(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    ids: list[str] = []
    with ollama_client(relay.url, ids) as client:
        answer = client.embed(f"{provider}/embed?dims=16&length=3", TEXTS, dimensions=4)
    assert len(answer.embeddings) == 3
    for vector, given in zip(answer.embeddings, TEXTS, strict=True):
        assert close_to(vector, scaled(vector_of(given, 16)[:4]))
    row = booked(relay, upstream, ids[0])
    assert (row["provider"], row["dialect"]) == (provider, "ollama.embed")
    assert answer.prompt_eval_count == row["usage"]["input_tokens"]


@provider_of
def test_ollamas_older_call_on_each_provider(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    ids: list[str] = []
    with ollama_client(relay.url, ids) as client:
        answer = client.embeddings(f"{provider}/embed?length=3", TEXTS[0])
    assert close_to(answer.embedding, vector_of(TEXTS[0], 8, 3.0)), "it is not brought to length 1"
    row = booked(relay, upstream, ids[0])
    assert row["dialect"] == "ollama.embeddings"
    # This endpoint of Ollama's tells no counts.
    assert row["usage_source"] == ("estimated" if provider == "oll" else "reported")
    assert upstream.ledger.embeddings[-1].path == (
        "/api/embeddings" if provider == "oll" else "/v1/embeddings"
    )


@provider_of
def test_both_forms_hold_the_same_numbers(relay: ServerProcess, provider: str) -> None:
    with openai_client(relay.url) as client:
        model = f"{provider}/embed"
        plain = client.embeddings.create(model=model, input=TEXTS, encoding_format="float")
        packed = client.embeddings.create(model=model, input=TEXTS)
        form = client.embeddings.create(model=f"{provider}/embed?form=float&shuffled=1", input=TEXTS)
    assert [item.embedding for item in plain.data] == [item.embedding for item in packed.data]
    assert [item.embedding for item in form.data] == [item.embedding for item in packed.data]


def test_dimensions_reach_providers_under_their_own_name(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    for provider, name in (("up", "dimensions"), ("oll", "dimensions"), ("mis", "output_dimension")):
        with openai_client(relay.url) as client:
            answer = client.embeddings.create(model=f"{provider}/embed", input="a", dimensions=4)
        assert close_to(answer.data[0].embedding, scaled(vector_of("a")[:4]))
        sent = upstream.ledger.embeddings[-1].body
        assert sent[name] == 4
        assert ("dimensions" in sent) == (name == "dimensions")
        assert ("encoding_format" in sent) == (provider == "up")


def test_a_provider_that_cannot_shorten_is_helped(relay: ServerProcess) -> None:
    with ollama_client(relay.url) as native:
        refusing = native.embed("up/embed?dimensions=refused", "a", dimensions=4)
        assert close_to(refusing.embeddings[0], scaled(vector_of("a")[:4]))
        assert len(native.embed("up/embed", "a", dimensions=1000).embeddings[0]) == 8
    with openai_client(relay.url) as client:
        ignoring = client.embeddings.create(model="up/embed?dimensions=ignored", input="a", dimensions=4)
        assert close_to(ignoring.data[0].embedding, scaled(vector_of("a")[:4]))
        with pytest.raises(openai.BadRequestError, match="does not support specifying dimensions"):
            client.embeddings.create(model="up/embed?dimensions=refused", input="a", dimensions=4)


def test_a_pool_passes_over_who_has_none_and_goes_on_from_who_fails(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    ids: list[str] = []
    with openai_client(relay.url, ids) as client:
        answer = client.embeddings.create(model="vectors", input="a")
    assert close_to(answer.data[0].embedding, vector_of("a"))
    rows = settled_rows(relay.folder, lambda rows: sum(row["request_id"] == ids[0] for row in rows) == 2)
    tried = [row for row in rows if row["request_id"] == ids[0]]
    assert [(row["attempt"], row["provider"], row["outcome"], row["status"]) for row in reversed(tried)] == [
        (1, "up", "error", 503),
        (2, "oll", "ok", 200),
    ]
    status, answer_, headers = post(relay, "/api/embed", model="vectors", input="a")
    assert (status, headers["x-relay-attempts"], headers["x-relay-provider"]) == (200, "2", "oll")
    assert close_to(answer_["embeddings"][0], vector_of("a"))


OF_NUMBERS = ["nan", "null", "words", "huge", "infinite", "empty"]
OF_LISTS = ["fewer", "more"]


@pytest.mark.parametrize(
    ("path", "provider", "flaw"),
    [
        (path, provider, flaw)
        for path in ("/v1/embeddings", "/api/embed", "/api/embeddings")
        for provider in ("up", "oll")
        # Between two speakers of Ollama's older call there is no list to be flawed.
        for flaw in (OF_NUMBERS if (path, provider) == ("/api/embeddings", "oll") else OF_NUMBERS + OF_LISTS)
    ],
)
def test_garbage_is_a_502_and_a_row(relay: ServerProcess, path: str, provider: str, flaw: str) -> None:
    status, answer, headers = post(relay, path, model=f"{provider}/embed?flaw={flaw}", **text(path))
    assert status == 502, answer
    row = row_of(relay.folder, headers["x-request-id"])
    assert (row["outcome"], row["status"]) == ("error", 200)
    assert row["usage_source"] == "estimated"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("429", 429),
        ("503", 503),
        ("400", 400),
        ("401", 502),
        ("html", 502),
        ("truncated_json", 502),
        ("cut", 502),
    ],
)
@provider_of
@path_of
def test_faults_are_told_and_booked(
    relay: ServerProcess, path: str, provider: str, fault: str, status: int
) -> None:
    model = f"{provider}/fault/{fault}?of=embed"
    told, answer, headers = post(relay, path, model=model, **text(path))
    assert told == status
    assert isinstance(answer["error"], dict if path.startswith("/v1") else str)
    row = row_of(relay.folder, headers["x-request-id"])
    assert (row["outcome"], row["provider"]) == ("error", provider)


def test_a_provider_that_counts_nothing_is_estimated(relay: ServerProcess) -> None:
    for provider in ("up", "oll"):
        _, answer, headers = post(
            relay, "/v1/embeddings", model=f"{provider}/fault/nousage?of=embed", input="12345678"
        )
        assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
        row = row_of(relay.folder, headers["x-request-id"])
        assert (row["usage"]["input_tokens"], row["usage_source"]) == (2, "estimated")
    _, answer, _ = post(relay, "/api/embed", model="up/fault/nousage?of=embed", input="12345678")
    assert "prompt_eval_count" not in answer


@provider_of
def test_a_client_that_leaves_is_a_cancelled_row_with_the_true_count(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    model = f"{provider}/embed?first_ms=300&input_tokens=77"
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    connection.request("POST", "/v1/embeddings", json.dumps({"model": model, "input": "a"}))
    upstream.ledger.wait(lambda calls: any(call.model == model.partition("/")[2] for call in calls))
    sock: socket.socket = connection.sock
    sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    request_id = upstream.ledger.embeddings[-1].request_id or ""
    row = row_of(relay.folder, request_id)
    assert (row["outcome"], row["usage"]["input_tokens"], row["usage_source"]) == (
        "cancelled",
        77,
        "reported",
    )


def test_a_model_that_only_embeds_refuses_to_chat(relay: ServerProcess, upstream: ScriptedUpstream) -> None:
    before = len(upstream.ledger.chats)
    with ollama_client(relay.url) as client:
        assert client.show("oll/embed").capabilities == ["embedding"]
        with pytest.raises(ollama.ResponseError, match="does not support chat"):
            client.chat("oll/embed", messages=[{"role": "user", "content": "hi"}])
    assert len(upstream.ledger.chats) == before
    status, answer, _ = post(relay, "/v1/embeddings", model="chatty/embed", input="a")
    assert (status, answer["error"]["message"]) == (400, '"chatty/embed" does not support embedding')


def test_token_ids_reach_who_takes_them(relay: ServerProcess, upstream: ScriptedUpstream) -> None:
    with openai_client(relay.url) as client:
        answer = client.embeddings.create(model="up/embed", input=[[5, 6], [7]])
        assert [
            close_to(item.embedding, vector_of(ids))
            for item, ids in zip(answer.data, ([5, 6], [7]), strict=True)
        ]
        assert answer.usage.prompt_tokens == 3
        with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
            client.embeddings.create(model="oll/embed", input=[[5, 6], [7]])
    assert upstream.ledger.embeddings[-1].body["input"] == [[5, 6], [7]]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/embed"])
@provider_of
def test_two_thousand_texts_take_little_time_and_memory(
    relay: ServerProcess, upstream: ScriptedUpstream, path: str, provider: str
) -> None:
    texts = [f"text number {number}, of a usual length" for number in range(2048)]
    before, began = relay.rss_bytes(), time.monotonic()
    status, answer, headers = post(relay, path, model=f"{provider}/embed?dims=384", input=texts)
    took_s = time.monotonic() - began
    assert status == 200
    vectors = answer.get("embeddings") or [item["embedding"] for item in answer["data"]]
    assert len(vectors) == 2048
    assert close_to(vectors[2047], vector_of(texts[2047], 384))
    assert took_s < 30
    assert relay.rss_bytes() - before < 250 * 1024 * 1024
    booked(relay, upstream, headers["x-request-id"])
