"""The npm packages `ollama` and `openai`, on providers of both kinds, from one Node.js process."""

import base64
import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.e2e.clients.accounts import assert_agreed
from tests.support.declarations import CLOCK, SCHEMA, WEATHER
from tests.support.node_clients import Failure, NodeClients, running_node_clients
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream
from tests.support.upstream.embeddings import vector_of

pytestmark = pytest.mark.e2e

HI = [{"role": "user", "content": "hi"}]
NUMBERED = "000 001 002 003 "

client_of = pytest.mark.parametrize("client", ["ollama", "openai"])
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])
streamed = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.fixture(scope="module")
def node(relay: ServerProcess) -> Iterator[NodeClients]:
    with running_node_clients(relay.url) as clients:
        yield clients


@provider_of
def test_ollama_lists_and_shows_every_model(node: NodeClients, provider: str) -> None:
    listed = {model["name"]: model for model in node("ollama", "models")}
    for name in (f"{provider}/{model}:latest" for model in DEFAULT_MODELS):
        page = node("ollama", "show", model=name)
        assert page["details"] == listed[name]["details"]
        assert page["capabilities"] == listed[name]["capabilities"]
        assert page["model_info"][f"{page['details']['family']}.context_length"] > 0
    node("ollama", "chat", model=f"{provider}/basic", messages=HI, stream=False)
    assert f"{provider}/basic:latest" in [model["name"] for model in node("ollama", "loaded")]


@provider_of
def test_openai_lists_and_retrieves_every_model(node: NodeClients, provider: str) -> None:
    listed = [model for model in node("openai", "models") if model["owned_by"] == provider]
    assert len(listed) == len(DEFAULT_MODELS)
    for model in listed:
        assert node("openai", "retrieve", model=model["id"]) == model


@client_of
@provider_of
@streamed
def test_an_answer_and_its_count(
    relay: ServerProcess,
    upstream: ScriptedUpstream,
    node: NodeClients,
    client: str,
    provider: str,
    *,
    stream: bool,
) -> None:
    answer = node(client, "chat", model=f"{provider}/basic?chunks=5", messages=HI, stream=stream)
    assert (answer["text"], answer["finish"]) == ("000 001 002 003 004 ", "stop")
    assert_agreed(relay, upstream, tuple(answer["tokens"]))


@client_of
@provider_of
@streamed
def test_parallel_tool_calls_arrive_whole(
    relay: ServerProcess,
    upstream: ScriptedUpstream,
    node: NodeClients,
    client: str,
    provider: str,
    *,
    stream: bool,
) -> None:
    model, tools = f"{provider}/tools?calls=2", [WEATHER, CLOCK]
    answer = node(client, "chat", model=model, messages=HI, tools=tools, stream=stream)
    assert answer["calls"] == [["weather", {"city": "abc", "days": 1}], ["clock", {}]]
    assert answer["finish"] == ("stop" if client == "ollama" else "tool_calls")
    assert_agreed(relay, upstream, tuple(answer["tokens"]))


RESULTS = {"weather": "sunny", "clock": "noon"}


def assert_results_were_sent(upstream: ScriptedUpstream) -> None:
    sent = upstream.ledger.chats[-1].body["messages"]
    results = [message["content"] for message in sent if message["role"] == "tool"]
    assert results == ["sunny", "noon"]


@provider_of
def test_a_tool_loop_by_hand_ends_in_an_answer(
    relay: ServerProcess, upstream: ScriptedUpstream, node: NodeClients, provider: str
) -> None:
    asked = {"model": f"{provider}/tools?calls=2", "messages": HI, "tools": [WEATHER, CLOCK]}
    first, second = node("ollama", "toolLoop", results=RESULTS, **asked)
    assert [name for name, _ in first["calls"]] == ["weather", "clock"]
    assert second["text"] == NUMBERED
    read, written = (sum(tokens) for tokens in zip(first["tokens"], second["tokens"], strict=True))
    assert_agreed(relay, upstream, (read, written), calls=2)
    assert_results_were_sent(upstream)


@provider_of
@streamed
def test_the_tool_runner_runs_to_an_answer(
    relay: ServerProcess, upstream: ScriptedUpstream, node: NodeClients, provider: str, *, stream: bool
) -> None:
    asked = {
        "model": f"{provider}/tools?calls=2",
        "messages": HI,
        "tools": [WEATHER, CLOCK],
        "stream": stream,
    }
    answer = node("openai", "toolLoop", results=RESULTS, **asked)
    assert answer["called"] == [["weather", {"city": "abc", "days": 1}], ["clock", {}]]
    assert answer["text"] == NUMBERED
    assert_agreed(relay, upstream, tuple(answer["tokens"]), calls=2)
    assert_results_were_sent(upstream)


@client_of
@provider_of
@streamed
def test_a_picture_reaches_the_provider(
    node: NodeClients, client: str, provider: str, *, stream: bool
) -> None:
    picture = png()
    encoded = base64.b64encode(picture).decode()
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}},
    ]
    native = {"role": "user", "content": "What is it?", "images": [encoded]}
    message = native if client == "ollama" else {"role": "user", "content": parts}
    answer = node(client, "chat", model=f"{provider}/image", messages=[message], stream=stream)
    assert answer["text"] == f"image/png {len(picture)} bytes sha256={hashlib.sha256(picture).hexdigest()}"


@client_of
@provider_of
@streamed
def test_a_schema_reaches_the_provider(
    node: NodeClients, client: str, provider: str, *, stream: bool
) -> None:
    strict = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    form = {"format": SCHEMA} if client == "ollama" else {"response_format": strict}
    answer = node(client, "chat", model=f"{provider}/schema", messages=HI, stream=stream, **form)
    assert json.loads(answer["text"]) == {"city": "abc"}


@client_of
@provider_of
def test_thinking_is_kept_apart_from_the_answer(node: NodeClients, client: str, provider: str) -> None:
    asked = {"model": f"{provider}/think", "messages": HI, "stream": True}
    wish = {"think": True} if client == "ollama" else {"reasoning_effort": "medium"}
    answer = node(client, "chat" if client == "ollama" else "chunks", **asked, **wish)
    assert (answer["thinking"], answer["text"]) == ("h00 h01 h02 ", NUMBERED)


@client_of
@provider_of
@streamed
def test_text_that_breaks_line_readers_survives(
    node: NodeClients, client: str, provider: str, *, stream: bool
) -> None:
    answer = node(client, "chat", model=f"{provider}/unicode", messages=HI, stream=stream)
    assert answer["text"].startswith(
        "line\u2028sep para\u2029sep next\u0085line cr\rlf\r\n emoji \U0001f600 "
    )
    assert answer["text"].endswith("umlaut äöü 漢字")


@client_of
@provider_of
def test_a_prompt_is_gone_on_from(
    relay: ServerProcess, upstream: ScriptedUpstream, node: NodeClients, client: str, provider: str
) -> None:
    answer = node(client, "complete", model=f"{provider}/basic", prompt="hi")
    assert (answer["text"], answer["finish"]) == (NUMBERED, "stop")
    assert_agreed(relay, upstream, tuple(answer["tokens"]))


@client_of
@provider_of
def test_embeddings_are_the_providers_in_the_order_of_the_texts(
    relay: ServerProcess, upstream: ScriptedUpstream, node: NodeClients, client: str, provider: str
) -> None:
    texts = ["the first", "another", ""]
    made = node(client, "embed", model=f"{provider}/embed?shuffled=1", input=texts)
    assert [pytest.approx(vector_of(text), abs=1e-6) for text in texts] == made["vectors"]
    assert_agreed(relay, upstream, tuple(made["tokens"]))


@client_of
@streamed
@pytest.mark.parametrize(
    ("model", "status", "kind"),
    [
        ("nothing", 404, "NotFoundError"),
        ("up/nothing", 404, "NotFoundError"),
        ("oll/nothing", 404, "NotFoundError"),
        ("up/fault/429", 429, "RateLimitError"),
        ("oll/fault/429", 429, "RateLimitError"),
    ],
)
def test_a_failure_is_of_its_kind(
    node: NodeClients, client: str, model: str, status: int, kind: str, *, stream: bool
) -> None:
    with pytest.raises(Failure) as failure:
        node(client, "chat", model=model, messages=HI, stream=stream)
    told = failure.value.told
    assert told["status"] == status
    assert told["kind"] == ("ResponseError" if client == "ollama" else kind)
    assert told["message"]
    if client == "openai":
        assert told["requestID"]
        assert told["code"] == ("model_not_found" if status == 404 else "rate_limit_exceeded")


@client_of
@provider_of
@pytest.mark.parametrize(
    ("fault", "words"), [("cut", "broke"), ("error_event?after_chunks=2", "the model fell over")]
)
def test_a_stream_that_breaks_is_an_error_after_what_came(
    node: NodeClients, client: str, provider: str, fault: str, words: str
) -> None:
    doing = "chat" if client == "ollama" else "chunks"
    with pytest.raises(Failure) as failure:
        node(client, doing, model=f"{provider}/fault/{fault}", messages=HI, stream=True)
    told = failure.value.told
    assert told["kind"] == ("Error" if client == "ollama" else "APIError")
    assert words in told["message"]
    assert told["came"].startswith("000 001 ")
