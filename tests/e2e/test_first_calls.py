"""What applications ask when they are pointed at an Ollama, request by request, and what each must find.

The applications are not here; their requests are, with headers and bodies as they send them, and their reading of
the answers, as strict as theirs: what they cannot do without fails the test when it is missing.
"""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import ollama
import pytest

from tests.conformance.wire import Answer, Api
from tests.e2e.application_calls import HI, JSON, LISTED, NUMBERED, OLLAMA_JS, posted
from tests.support.declarations import WEATHER
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


@pytest.fixture
def api(relay: ServerProcess) -> Api:
    return Api(relay.port)


def aiohttp_json(answer: Answer) -> Any:
    """As `ClientResponse.json()`, which takes no other content type than JSON's."""
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0].strip() == "application/json"
    return answer.json


# Open WebUI 0.12: checks the connection, merges list and loaded models, streams.
OPEN_WEBUI = {
    "User-Agent": "Python/3.11 aiohttp/3.13.2",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Content-Type": "application/json",
    "X-OpenWebUI-User-Name": "Ada Lovelace",
    "X-OpenWebUI-User-Id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "X-OpenWebUI-User-Email": "ada@example.com",
    "X-OpenWebUI-User-Role": "admin",
}


def webui_get(api: Api, path: str) -> Any:
    return aiohttp_json(api.send("GET", path, headers=OPEN_WEBUI))


def test_open_webui_reads_a_version_with_whole_numbers_between_dots(api: Api) -> None:
    version = webui_get(api, "/api/version")["version"]
    assert [int(part) for part in re.sub(r"^v|-.*", "", version).split(".")] >= [0, 6, 4]


def test_open_webui_merges_the_list_and_the_loaded_models_by_name(api: Api) -> None:
    posted(api, "/api/chat", {"model": "oll/basic:latest", "messages": HI}, OPEN_WEBUI)
    models = webui_get(api, "/api/tags")["models"]
    assert {model["model"] for model in models} == LISTED
    expiries = {model["name"]: model["expires_at"] for model in webui_get(api, "/api/ps")["models"]}
    assert datetime.fromisoformat(expiries["oll/basic:latest"]) > datetime.now(UTC)
    assert set(expiries) <= {model["name"] for model in models}
    for model in models:
        assert "expires_at" not in model
        assert model["details"]["parameter_size"]
        assert model["details"]["quantization_level"]
        assert model["size"] > 0


@provider_of
def test_open_webui_finds_the_numbers_of_a_stream_on_its_last_line(api: Api, provider: str) -> None:
    body = {
        "model": f"{provider}/basic:latest",
        "messages": HI,
        "options": {"temperature": 0.7, "num_ctx": 8192.0, "stop": None},
        "stream": True,
        "keep_alive": None,
    }
    answer = posted(api, "/api/chat", body, OPEN_WEBUI)
    assert "content-encoding" not in answer.headers
    *lines, last = answer.lines
    assert "".join(line["message"]["content"] for line in lines) == NUMBERED
    assert last["done"] is True
    assert int(last.get("prompt_eval_count", 0)) > 0
    assert round(int(last["eval_count"]) / (int(last["eval_duration"]) / 1e9), 2) > 0


def test_open_webui_sends_tool_calls_back_with_keys_of_openai(api: Api, upstream: ScriptedUpstream) -> None:
    call = {"name": "weather", "arguments": {"city": "abc", "days": 1}}
    sent_call = {"index": 0, "id": "call_1", "type": "function", "function": call}
    messages = [
        *HI,
        {"role": "assistant", "content": "", "tool_calls": [sent_call]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
    ]
    body = {"model": "up/tools:latest", "messages": messages, "tools": [WEATHER], "stream": True}
    assert posted(api, "/api/chat", body, OPEN_WEBUI).status == 200
    sent = upstream.ledger.chats[-1].body["messages"]
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]


def test_open_webui_shows_a_failure_that_is_one_string(api: Api) -> None:
    answer = posted(api, "/api/chat", {"model": "nothing", "messages": HI}, OPEN_WEBUI)
    assert (answer.status, answer.json) == (404, {"error": "model 'nothing' not found"})


def test_open_webui_unloads_a_model_and_embeds_texts(api: Api) -> None:
    posted(api, "/api/chat", {"model": "oll/basic:latest", "messages": HI}, OPEN_WEBUI)
    assert "oll/basic:latest" in {model["name"] for model in webui_get(api, "/api/ps")["models"]}
    unload = {"model": "oll/basic:latest", "prompt": "", "keep_alive": 0, "stream": False}
    assert aiohttp_json(posted(api, "/api/generate", unload, OPEN_WEBUI))["done_reason"] == "unload"
    assert "oll/basic:latest" not in {model["name"] for model in webui_get(api, "/api/ps")["models"]}
    texts = {"model": "up/basic:latest", "input": ["a", "b"], "truncate": True}
    assert len(aiohttp_json(posted(api, "/api/embed", texts, OPEN_WEBUI))["embeddings"]) == 2


# Home Assistant 2026.11 is the ollama package, with five seconds for the list.
HOME_ASSISTANT_SECONDS = 5.0


@provider_of
@pytest.mark.anyio
async def test_home_assistant_lists_pulls_and_talks_with_tools(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    client = ollama.AsyncClient(host=relay.url)
    async with asyncio.timeout(HOME_ASSISTANT_SECONDS):
        models = [model.model for model in (await client.list()).models]
    model = f"{provider}/tools:latest"
    assert model in models
    told = [part.status async for part in await client.pull(model, stream=True)]
    assert told[-1] == "success"
    messages = [ollama.Message(role="system", content="Be brief."), ollama.Message(role="user", content="hi")]
    for said in ("", NUMBERED):
        parts = await client.chat(
            model=model,
            messages=list(messages),
            tools=[WEATHER],
            stream=True,
            keep_alive=-1,
            options={"num_ctx": 8192.0},
            think=False,
            format=None,
        )
        came = [part["message"] async for part in parts]
        assert "".join(message.get("content") or "" for message in came) == said
        calls = [call for message in came for call in message.get("tool_calls") or ()]
        # What comes back has neither ids nor names: order alone ties it to its call.
        messages.append(ollama.Message(role="assistant", content=said, tool_calls=calls or None))
        messages += [ollama.Message(role="tool", content='{"data":"sunny"}') for _ in calls]
    await client._client.aclose()
    asked, result = upstream.ledger.chats[-1].body["messages"][-2:]
    (call,) = asked["tool_calls"]
    assert result["content"] == '{"data":"sunny"}'
    if provider == "up":
        assert result["tool_call_id"] == call["id"]


# n8n: a credential without a key, a list, LangChain.js, and a node that puts everything into `options`.
N8N = {"User-Agent": "axios/1.12.2", "Accept": "application/json", "Authorization": "Bearer "}


def test_n8n_tests_a_credential_without_a_key_and_offers_every_model(api: Api) -> None:
    assert api.send("GET", "/", headers=N8N).status == 200
    answer = api.send("GET", "/api/tags", headers=N8N)
    assert answer.status == 200
    assert {model["name"] for model in answer.json["models"]} == LISTED


@provider_of
def test_n8n_adds_up_the_counts_of_all_lines(api: Api, upstream: ScriptedUpstream, provider: str) -> None:
    options = {"temperature": 0.7, "top_k": -1, "num_ctx": 2048, "num_gpu": -1, "low_vram": False}
    body = {
        "model": f"{provider}/basic:latest",
        "options": {**options, "penalize_newline": True, "use_mlock": False, "vocab_only": False},
        "messages": HI,
        "keep_alive": "5m",
        "format": "",
        "stream": True,
    }
    headers = {"User-Agent": OLLAMA_JS["User-Agent"], **N8N, **JSON}
    lines = posted(api, "/api/chat", body, headers).lines
    assert all("message" in line for line in lines)
    added = [sum(line.get(key, 0) for line in lines) for key in ("prompt_eval_count", "eval_count")]
    call = upstream.ledger.chats[-1]
    assert added == [call.tokens_in, call.tokens_out]


@provider_of
def test_n8n_feeds_a_message_back_as_it_came(api: Api, provider: str) -> None:
    options = {
        "system": "Be brief.",
        "format": "",
        "keep_alive": "5m",
        "low_vram": False,
        "temperature": 0.5,
    }
    body: dict[str, Any] = {
        "model": f"{provider}/tools:latest",
        "messages": list(HI),
        "stream": False,
        "tools": [WEATHER],
        "options": options,
    }
    first = posted(api, "/api/chat", body, {**N8N, **JSON}).json["message"]
    body["messages"] += [first, {"role": "tool", "content": "sunny", "tool_name": "weather"}]
    second = posted(api, "/api/chat", body, {**N8N, **JSON})
    assert (second.status, second.json["message"]["content"]) == (200, NUMBERED)
