"""What clients of Node.js make of OpenAI's chat: openai-node, and Vercel's AI SDK for compatible servers."""

from collections.abc import Iterator

import pytest

from tests.conformance.asking import HELLO, TEXT, every_provider
from tests.conformance.conftest import Place
from tests.support.declarations import CLOCK, WEATHER
from tests.support.node_clients import Failure, NodeClients, running_node_clients
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def node(place: Place) -> Iterator[NodeClients]:
    with running_node_clients(place.api.url) as clients:
        yield clients


@pytest.mark.conformance("openai", 63)
@every_provider
def test_openai_nodes_helper_gathers_text_and_usage(node: NodeClients, provider: str) -> None:
    answer = node("openai", "chat", model=f"{provider}/basic", messages=HELLO, stream=True)
    assert answer == {"text": TEXT, "calls": [], "finish": "stop", "tokens": [1, 4]}


@pytest.mark.conformance("openai", 64)
@every_provider
def test_the_ai_sdk_streams_a_text_with_its_finish_and_usage(node: NodeClients, provider: str) -> None:
    answer = node("aisdk", "chat", model=f"{provider}/basic", messages=HELLO)
    assert answer == {"text": TEXT, "thinking": "", "finish": "stop", "tokens": [1, 4]}


@pytest.mark.conformance("openai")
@every_provider
def test_the_ai_sdk_keeps_thoughts_apart(node: NodeClients, provider: str) -> None:
    answer = node("aisdk", "chat", model=f"{provider}/think", messages=HELLO)
    assert (answer["thinking"], answer["text"]) == ("h00 h01 h02 ", TEXT)


@pytest.mark.conformance("openai")
@every_provider
def test_the_ai_sdk_runs_tools_to_an_answer(
    node: NodeClients, upstream: ScriptedUpstream, provider: str
) -> None:
    results = {"weather": "sunny", "clock": "noon"}
    asked = {"model": f"{provider}/tools?calls=2", "messages": HELLO, "tools": [WEATHER, CLOCK]}
    answer = node("aisdk", "toolLoop", results=results, **asked)
    assert answer["called"] == [["weather", {"city": "abc", "days": 1}], ["clock", {}]]
    assert (answer["text"], answer["finish"]) == (TEXT, "stop")
    sent = upstream.ledger.chats[-1].body["messages"]
    assert [message["content"] for message in sent if message["role"] == "tool"] == ["sunny", "noon"]


@pytest.mark.conformance("openai")
@every_provider
def test_the_ai_sdk_tells_what_failed(node: NodeClients, provider: str) -> None:
    for model, status in ((f"{provider}/nothing", 404), (f"{provider}/fault/429", 429)):
        with pytest.raises(Failure) as failure:
            node("aisdk", "chat", model=model, messages=HELLO)
        assert failure.value.told["status"] == status
        assert failure.value.told["message"]
