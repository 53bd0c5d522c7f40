"""Every built-in provider: the address, the key and the body that really leave for it.

No vendor can be called here; what is asserted is what its documentation asks for.
"""

import json
from typing import Any

import pytest

from relay.adapters.outbound.providers.spec import configured, kinds
from relay.domain.chat import DialectName
from tests.support.fakes_http import RecordingHttp, whole
from tests.support.provider_rows import (
    ANSWER,
    MESSAGES,
    MODEL,
    ExpectedAnswer,
    check_answer,
    check_request,
    rows,
)
from tests.support.upstream_calls import backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

ROWS = rows()
OPENAI_BODY = ANSWER
OLLAMA_BODY = {
    "model": MODEL,
    "message": {"role": "assistant", "content": "yes"},
    "done": True,
    "done_reason": "stop",
}


CHATS = [
    kind
    for kind in ROWS
    if kind in kinds() and configured(kind, ROWS[kind].section, {}).dialect == "openai.chat"
]


def test_every_kind_of_openais_chat_has_its_fixture() -> None:
    section = {"base_url": "http://localhost:8000/v1"}
    spoken = {kind for kind in kinds() if configured(kind, section, {}).dialect == "openai.chat"}
    assert spoken == {*CHATS}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("kind", CHATS)
async def test_a_row_sends_exactly_this(kind: str, stream: bool) -> None:
    await check_request(kind, ROWS[kind], stream=stream)


ANSWERS = [
    pytest.param(kind, answer, id=f"{kind}: {answer.of}") for kind in CHATS for answer in ROWS[kind].answers
]


@pytest.mark.parametrize(("kind", "answer"), ANSWERS)
async def test_an_answer_in_the_providers_own_shape_is_read(kind: str, answer: ExpectedAnswer) -> None:
    await check_answer(kind, ROWS[kind], answer)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_ollamas_row_sends_exactly_this(stream: bool) -> None:
    http = RecordingHttp(lambda request: whole(OLLAMA_BODY))
    backend = backend_for("ollama", http)
    options = {"temperature": 0.5, "num_predict": 64}
    result = await outcome(backend, upstream_call("ollama.chat", stream=stream, options=options))
    assert result.is_complete
    assert result.losses == ()
    [request] = http.requests
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:11434/api/chat")
    assert json.loads(request.body) == {
        "model": MODEL,
        "messages": MESSAGES,
        "stream": stream,
        "options": options,
    }
    assert backend.on_disconnect == "cancel"


PASSING = {"openai", "openai-responses", "ollama", "anthropic"}


@pytest.mark.parametrize("kind", kinds())
def test_bytes_may_pass_only_where_the_stream_is_known_to_obey(kind: str) -> None:
    section = {"base_url": "http://localhost:8000/v1"} if kind == "openai-compatible" else {}
    assert configured(kind, section, {}).pass_through == (kind in PASSING)


OFF: dict[str, dict[str, object]] = {
    "openai": {"reasoning_effort": "none"},
    "openrouter": {"reasoning": {"effort": "none"}},
    "groq": {"reasoning_effort": "none"},
    "deepseek": {"thinking": {"type": "disabled"}},
    "mistral": {"reasoning_effort": "none"},
    "together": {"reasoning": {"enabled": False}},
    "fireworks": {"reasoning_effort": "none"},
    "cerebras": {"reasoning_effort": "none"},
}


@pytest.mark.parametrize("kind", OFF)
async def test_a_client_that_wants_no_thinking_is_understood(kind: str) -> None:
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    await outcome(backend_for(kind, http), upstream_call("ollama.chat", stream=False, think=False))
    sent = json.loads(http.requests[0].body)
    words = {name: sent[name] for name in ("reasoning_effort", "reasoning", "thinking") if name in sent}
    assert words == OFF[kind]


async def test_qwen_at_groq_is_told_where_to_put_its_thoughts() -> None:
    for model, value in (("qwen/qwen3-32b", "parsed"), ("llama-3.3-70b-versatile", None)):
        http = RecordingHttp(lambda request: whole(OPENAI_BODY))
        await outcome(backend_for("groq", http), upstream_call("ollama.chat", model=model, stream=False))
        assert json.loads(http.requests[0].body).get("reasoning_format") == value


async def test_xais_word_for_a_wrong_key_is_understood() -> None:
    error = {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***."}
    http = RecordingHttp(lambda request: whole(error, status=400))
    result = await outcome(backend_for("xai", http), upstream_call("openai.chat"))
    assert result.failure is not None
    assert result.failure.code == "upstream_authentication"
    assert "xa***" not in result.failure.message


async def test_a_providers_own_headers_are_sent_beside_its_key() -> None:
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    backend = backend_for("openrouter", http, headers={"X-Title": "Desk"})
    await outcome(backend, upstream_call("openai.chat", stream=False))
    headers = http.requests[0].headers
    assert (headers["x-title"], headers["authorization"]) == ("Desk", "Bearer k-1")


EFFORTS_AT: dict[tuple[str, str], dict[str, object]] = {
    ("openai", "gpt-4o-mini"): {},
    ("openai", "o3"): {"reasoning_effort": "low"},
    ("openai", "gpt-5-2025-08-07"): {"reasoning_effort": "minimal"},
    ("openai", "gpt-5.2"): {"reasoning_effort": "low"},
    ("groq", "llama-3.3-70b-versatile"): {},
    ("groq", "openai/gpt-oss-120b"): {"reasoning_effort": "low"},
    ("groq", "qwen/qwen3-32b"): {"reasoning_effort": "default"},
    ("deepseek", "deepseek-v4-flash"): {"reasoning_effort": "low"},
    ("cerebras", "zai-glm-4.7"): {"reasoning_effort": "low"},
}


@pytest.mark.parametrize(("kind", "model"), EFFORTS_AT)
async def test_an_effort_is_said_in_the_words_of_the_model(kind: str, model: str) -> None:
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    call = upstream_call("openai.chat", model=model, stream=False, reasoning_effort="minimal")
    result = await outcome(backend_for(kind, http), call)
    sent = json.loads(http.requests[0].body)
    words = {name: sent[name] for name in ("reasoning_effort", "reasoning", "thinking") if name in sent}
    assert words == EFFORTS_AT[kind, model]
    assert result.losses == (() if words else ("reasoning_effort",))


TOOL_LOOP = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "2+2?"},
    {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "call_0123456789abcdef", "function": {"name": "f", "arguments": {}}}],
    },
    {"role": "tool", "content": "4", "tool_call_id": "call_0123456789abcdef"},
    {"role": "user", "content": "sure?"},
]


async def sent_tool_loop(kind: str, model: str = MODEL) -> list[dict[str, Any]]:
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    await outcome(backend_for(kind, http), upstream_call("ollama.chat", model=model, messages=TOOL_LOOP))
    messages: list[dict[str, Any]] = json.loads(http.requests[0].body)["messages"]
    return messages


async def test_mistral_gets_short_ids_and_an_assistant_that_speaks_after_a_result() -> None:
    messages = await sent_tool_loop("mistral")
    assert [message["role"] for message in messages] == [
        "system", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    call_id = messages[2]["tool_calls"][0]["id"]
    assert len(call_id) == 9
    assert call_id.isalnum()
    assert messages[3]["tool_call_id"] == call_id


async def test_mistral_gets_thoughts_and_documents_as_parts_of_its_own() -> None:
    thought, *_ = (await sent_tool_loop("mistral"))[2]["content"]
    assert thought == {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    document = {
        "type": "file",
        "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
    }
    content = [{"type": "text", "text": "read"}, document]
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    call = upstream_call("openai.chat", messages=[{"role": "user", "content": content}])
    await outcome(backend_for("mistral", http), call)
    [sent] = json.loads(http.requests[0].body)["messages"]
    assert sent["content"] == [
        {"type": "text", "text": "read"},
        {
            "type": "document_url",
            "document_url": "data:application/pdf;base64,JVBERg==",
            "document_name": "a.pdf",
        },
    ]


async def test_mistral_takes_a_document_that_is_elsewhere_by_its_address() -> None:
    content = [{"type": "document_url", "document_url": "https://example.org/a.pdf"}]
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    call = upstream_call("openai.chat", messages=[{"role": "user", "content": content}])
    result = await outcome(backend_for("mistral", http), call)
    assert result.is_complete
    assert json.loads(http.requests[0].body)["messages"][0]["content"] == content


@pytest.mark.parametrize(
    ("dialect", "options", "window"),
    [
        ("openai.chat", None, 16384),
        ("ollama.chat", {"num_ctx": 9, "num_batch": 2}, 9),
        ("ollama.chat", {}, None),
    ],
)
async def test_an_ollama_is_asked_for_a_window_where_its_caller_knows_of_none(
    dialect: DialectName, options: Any, window: int | None
) -> None:
    http = RecordingHttp(lambda request: whole(OLLAMA_BODY))
    fields = {} if options is None else {"options": options}
    backend = backend_for("ollama", http, quirks={"num_ctx": 16384})
    await outcome(backend, upstream_call(dialect, stream=False, temperature=0.5, **fields))
    assert json.loads(http.requests[0].body).get("options", {}).get("num_ctx") == window


@pytest.mark.parametrize("kind", ["openai", "groq", "cerebras"])
async def test_no_thoughts_that_a_client_kept_reach_a_provider_that_refuses_them(kind: str) -> None:
    kept = {"role": "assistant", "content": "ok", "reasoning_content": "hm", "reasoning": "hm"}
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    call = upstream_call("openai.chat", messages=[*MESSAGES, kept, *MESSAGES])
    await outcome(backend_for(kind, http), call)
    assert json.loads(http.requests[0].body)["messages"][1] == {"role": "assistant", "content": "ok"}


async def test_deepseek_gets_the_thoughts_behind_its_calls_back() -> None:
    messages = await sent_tool_loop("deepseek")
    assert [message.get("reasoning_content") for message in messages] == [None, None, "hm", None, None]


@pytest.mark.parametrize("kind", ["groq", "together", "cerebras", "deepinfra", "sambanova"])
async def test_no_thoughts_go_back_where_they_are_not_asked_for(kind: str) -> None:
    assert not any("reasoning_content" in message for message in await sent_tool_loop(kind))


async def test_an_old_model_without_instructions_is_told_by_its_user() -> None:
    messages = await sent_tool_loop("openai", "o1-mini")
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert "be brief" in json.dumps(messages[0]["content"])


async def test_a_schema_for_deepseek_stands_in_the_prompt_and_its_loss_is_told() -> None:
    http = RecordingHttp(lambda request: whole(OPENAI_BODY))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    result = await outcome(backend_for("deepseek", http), upstream_call("ollama.chat", format=schema))
    sent = json.loads(http.requests[0].body)
    assert sent["response_format"] == {"type": "json_object"}
    assert '"integer"' in sent["messages"][0]["content"]
    assert result.losses == ("output.schema",)
