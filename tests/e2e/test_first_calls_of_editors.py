"""What editors ask when they are pointed at an Ollama, request by request, and what each must find.

As `test_first_calls`: their requests as they send them, and a reading of the answers as strict as theirs.
"""

import json
import re
from typing import Annotated, Any, Literal

import msgspec
import pytest

from tests.conformance.wire import Api
from tests.e2e.application_calls import HI, JSON, LISTED, NUMBERED, OLLAMA_JS, posted
from tests.support.declarations import CLOCK, WEATHER
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


@pytest.fixture
def api(relay: ServerProcess) -> Api:
    return Api(relay.port)


class CopilotPage(msgspec.Struct):
    """What VS Code takes from `/api/show`."""

    template: str
    capabilities: list[str]
    details: dict[str, Any]
    model_info: dict[str, Any]


COPILOT = {"User-Agent": "GitHubCopilotChat/0.33.1"}


def test_copilot_takes_every_model_with_its_name_context_and_tools(api: Api) -> None:
    version = api.send("GET", "/api/version", headers=COPILOT).json["version"]
    assert [int(part) for part in version.split(".")] >= [0, 6, 4]
    models = api.send("GET", "/api/tags", headers=COPILOT).json["models"]
    with_tools = set()
    for model in models:
        answer = posted(api, "/api/show", {"model": model["model"]}, {**COPILOT, **JSON})
        page = msgspec.json.decode(answer.body, type=CopilotPage)
        assert page.model_info["general.basename"] == model["model"]
        context = page.model_info[f"{page.model_info['general.architecture']}.context_length"]
        assert isinstance(context, int)
        assert context > 4096
        if "tools" in page.capabilities:
            with_tools.add(model["model"])
    assert {"up/tools:latest", "oll/tools:latest"} <= with_tools
    assert "oll/basic:latest" not in with_tools


@provider_of
def test_copilot_calls_tools_by_openais_route_and_is_told_the_usage(api: Api, provider: str) -> None:
    body = {
        "model": f"{provider}/tools:latest",
        "messages": [{"role": "system", "content": "You code."}, *HI],
        "tools": [WEATHER, CLOCK],
        "tool_choice": "auto",
        "temperature": 0.1,
        "top_p": 1,
        "max_tokens": 4096,
        "n": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {**COPILOT, **JSON, "Authorization": "Bearer ", "Openai-Intent": "conversation-panel"}
    answer = posted(api, "/v1/chat/completions", body, headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, usage = answer.chunks
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 0
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    written = "".join(call["function"].get("arguments", "") for call in calls)
    assert json.loads(written) == {"city": "abc", "days": 1}


@provider_of
def test_the_ollama_extension_lists_shows_chats_and_watches(api: Api, provider: str) -> None:
    name = f"{provider}/tools:latest"
    models = api.send("GET", "/api/tags", headers=OLLAMA_JS).json["models"]
    assert name in {model["name"] for model in models}
    advice = api.send("GET", "/api/experimental/model-recommendations", headers=OLLAMA_JS)
    assert advice.json == {"recommendations": []}
    page = posted(api, "/api/show", {"model": name}, {**OLLAMA_JS, **JSON}).json
    assert "tools" in page["capabilities"]
    body = {"model": name, "messages": HI, "tools": [WEATHER], "stream": True}
    lines = posted(api, "/api/chat", body, {**OLLAMA_JS, **JSON}).lines
    assert not any("error" in line for line in lines)
    assert [line["done"] for line in lines][-1] is True
    loaded = api.send("GET", "/api/ps", headers=OLLAMA_JS).json["models"]
    (context,) = [model["context_length"] for model in loaded if model["name"] == name]
    assert context == page["model_info"][f"{page['details']['family']}.context_length"]


CONTINUE = {"User-Agent": "node-fetch", **JSON}


@provider_of
def test_continue_reads_every_line_of_the_page_and_chats(api: Api, provider: str) -> None:
    page = posted(api, "/api/show", {"name": f"{provider}/tools"}, CONTINUE).json
    for line in filter(None, page.get("parameters", "").split("\n")):
        assert re.fullmatch(r'(\S+)\s+((?:".*")|\S+)', line)
    assert ".Suffix" not in page["template"]
    options = {
        "num_predict": 2048,
        "stop": ["<|im_end|>"],
        "num_ctx": 8192,
        "num_thread": 8,
        "use_mmap": True,
    }
    body = {
        "model": f"{provider}/basic",
        "messages": HI,
        "options": options,
        "keep_alive": 1800,
        "stream": True,
    }
    answer = posted(api, "/api/chat", body, CONTINUE)
    *lines, rest = answer.body.decode().split("\n")
    assert rest == "", "the last line would be lost"
    said = [json.loads(line) for line in lines]
    assert not any("error" in line or "type" in line for line in said)
    assert "".join(line["message"]["content"] for line in said) == NUMBERED
    with_tools = posted(
        api,
        "/api/chat",
        {**body, "model": f"{provider}/tools", "tools": [WEATHER], "stream": False},
        CONTINUE,
    )
    (call,) = with_tools.json["message"]["tool_calls"]
    assert call["function"]["arguments"] == {"city": "abc", "days": 1}


def test_continue_completes_code_from_a_raw_prompt(api: Api, upstream: ScriptedUpstream) -> None:
    prompt = "<|fim_prefix|>def f(<|fim_suffix|>):<|fim_middle|>"
    options = {"temperature": 0.01, "num_predict": 2048, "stop": ["<|endoftext|>", "\n\n"], "num_ctx": 8192}
    body = {"model": "oll/basic", "prompt": prompt, "raw": True, "options": options, "keep_alive": 1800}
    answer = posted(api, "/api/generate", {**body, "stream": True}, CONTINUE)
    assert "".join(line["response"] for line in answer.lines) == NUMBERED
    assert not any("error" in line for line in answer.lines)
    assert upstream.ledger.calls[-1].body["prompt"] == prompt


class ZedDetails(msgspec.Struct):
    format: str
    family: str
    parameter_size: str
    quantization_level: str
    families: list[str] | None = None


class ZedModel(msgspec.Struct):
    name: str
    modified_at: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    digest: str
    details: ZedDetails


class ZedListing(msgspec.Struct):
    models: list[ZedModel]


class ZedFunction(msgspec.Struct):
    name: str
    arguments: dict[str, Any]


class ZedCall(msgspec.Struct):
    id: str
    function: ZedFunction


class ZedMessage(msgspec.Struct):
    role: Literal["assistant"]
    content: str
    tool_calls: list[ZedCall] | None = None
    thinking: str | None = None
    images: list[str] | None = None


class ZedDelta(msgspec.Struct):
    """Every field without a default is one without which Zed gives up the whole answer."""

    model: str
    created_at: str
    message: ZedMessage
    done: bool
    done_reason: str | None = None
    prompt_eval_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    eval_count: Annotated[int, msgspec.Meta(ge=0)] | None = None


ZED = {"User-Agent": "Zed/0.214.5 (linux; x86_64)"}


def test_zed_reads_the_whole_list_and_every_page(api: Api) -> None:
    answer = api.send("GET", "/api/tags", headers={**ZED, "Accept": "application/json"})
    listing = msgspec.json.decode(answer.body, type=ZedListing)
    assert {model.name for model in listing.models} == LISTED
    for model in listing.models:
        page = posted(api, "/api/show", {"model": model.name}, {**ZED, **JSON}).json
        assert all(isinstance(word, str) for word in page["capabilities"])


@provider_of
def test_zed_goes_through_a_tool_loop_line_by_line(api: Api, provider: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    body: dict[str, Any] = {
        "model": f"{provider}/tools:latest",
        "messages": messages,
        "stream": True,
        "keep_alive": -1,
        "options": {"num_ctx": 16384, "num_predict": None, "stop": [], "temperature": 1.0, "top_p": None},
        "tools": [WEATHER],
        "think": False,
    }
    first = zed_deltas(api, body)
    (call,) = [call for delta in first for call in delta.message.tool_calls or ()]
    messages += [
        {"role": "assistant", "content": "", "tool_calls": msgspec.to_builtins([call]), "thinking": None},
        {"role": "tool", "tool_name": call.function.name, "content": "sunny"},
    ]
    second = zed_deltas(api, body)
    assert "".join(delta.message.content for delta in second) == NUMBERED
    assert second[-1].eval_count == 4


def zed_deltas(api: Api, body: dict[str, Any]) -> list[ZedDelta]:
    answer = posted(api, "/api/chat", body, {**ZED, **JSON})
    assert answer.status == 200
    return [msgspec.json.decode(line, type=ZedDelta) for line in answer.body.splitlines()]


class KoogModel(msgspec.Struct):
    name: str
    model: str
    size: int
    modified_at: str
    digest: str
    details: ZedDetails


class KoogListing(msgspec.Struct):
    models: list[KoogModel]


class KoogPage(msgspec.Struct):
    """A word that koog does not know fails the whole page."""

    capabilities: list[Literal["audio", "completion", "embedding", "insert", "vision", "thinking", "tools"]]
    details: ZedDetails
    model_info: dict[str, Any]


def test_koog_of_jetbrains_knows_every_word_of_every_page(api: Api) -> None:
    headers = {"User-Agent": "ktor-client", "Accept": "application/json", **JSON}
    listing = msgspec.json.decode(api.send("GET", "/api/tags", headers=headers).body, type=KoogListing)
    assert {model.model for model in listing.models} == LISTED
    for model in listing.models:
        answer = posted(api, "/api/show", {"name": model.name}, headers)
        page = msgspec.json.decode(answer.body, type=KoogPage)
        assert page.details == model.details
        assert isinstance(page.model_info["general.architecture"], str)


def test_smart_connections_in_obsidian_finds_a_context_length_for_every_model(api: Api) -> None:
    """It takes the first key of that name unasked, so that one model without it empties the list."""
    headers = {"User-Agent": "obsidian/1.10.3", "Origin": "app://obsidian.md", **JSON}
    models = api.send("GET", "/api/tags", headers=headers)
    assert models.headers["access-control-allow-origin"] in ("*", "app://obsidian.md")
    for model in models.json["models"]:
        info = posted(api, "/api/show", {"model": model["name"]}, headers).json["model_info"]
        lengths = [value for key, value in info.items() if ".context_length" in key]
        assert lengths[0] > 0
