"""What a real Ollama is sent: a prompt written anew, and a caller's own."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.ollama_generate import DIALECT
from relay.domain.chat import (
    ChatRequest,
    Completion,
    File,
    Image,
    JsonSchema,
    Message,
    Part,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, Unsupported

PNG = "iVBORw0KGgoAAAANSUhEUg=="
HI = Text(text="hi")


def said(role: Role, *parts: Part, name: str | None = None) -> Message:
    return Message(role=role, parts=parts, name=name)


def written(*messages: Message, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        DIALECT.encode_request(ChatRequest(model="m", messages=messages, **fields)).body
    )
    return body


def test_a_prompt_is_all_there_is() -> None:
    assert written(said("user", HI)) == {"model": "m", "prompt": "hi", "stream": False}
    assert written() == {"model": "m", "prompt": "", "stream": False}


def test_instructions_stand_apart_wherever_they_came() -> None:
    messages = (
        said("user", HI),
        said("developer", Text(text="a"), Text(text="b")),
        said("system", Text(text="c")),
    )
    assert written(*messages) == {"model": "m", "prompt": "hi", "stream": False, "system": "a\nb\nc"}


def test_everything_that_generate_knows_is_written() -> None:
    wire = DIALECT.encode_request(
        ChatRequest(
            model="m",
            messages=(said("user", HI, Image(data=PNG)),),
            stream=True,
            completion=Completion(suffix="}"),
            sampling=Sampling(temperature=0.5, max_output_tokens=7, logprobs=True, top_logprobs=1),
            output=JsonSchema(schema='{"type":"object"}'),
            reasoning=Reasoning(effort="none"),
            extras={"ollama.generate": {"context": "[1]", "options": '{"num_ctx":1}', "keep_alive": '"5m"'}},
        )
    )
    assert wire.path == "/api/generate"
    assert wire.losses == ()
    assert json.loads(wire.body) == {
        "model": "m",
        "prompt": "hi",
        "stream": True,
        "suffix": "}",
        "images": [PNG],
        "format": {"type": "object"},
        "think": False,
        "logprobs": True,
        "top_logprobs": 1,
        "options": {"num_ctx": 1, "temperature": 0.5, "num_predict": 7},
        "context": [1],
        "keep_alive": "5m",
    }


def test_what_it_has_no_word_for_is_lost_and_told() -> None:
    wire = DIALECT.encode_request(
        ChatRequest(
            model="m",
            messages=(said("user", HI, File(file_id="f"), name="ann"),),
            user="u",
            extras={"openai.chat": {"logit_bias": "{}"}, "ollama.chat": {"keep_alive": "1"}},
        )
    )
    assert set(wire.losses) == {
        "messages.name",
        "file",
        "user",
        "openai.chat:logit_bias",
        "ollama.chat:keep_alive",
    }


@pytest.mark.parametrize(
    "messages",
    [
        (said("user", HI), said("user", HI)),
        (said("user", HI), said("assistant", HI)),
        (said("assistant", HI),),
        (said("user", HI), said("tool", ToolResult(call_id="c", name="n", parts=(HI,)))),
        (said("user", HI, ToolCall(id="c", name="n", arguments="{}")),),
        (said("user", HI, Thinking(text="hm")),),
    ],
)
def test_a_conversation_is_no_prompt(messages: tuple[Message, ...]) -> None:
    with pytest.raises(Unsupported) as refused:
        written(*messages)
    assert refused.value.param == "messages"


def test_tools_and_choices_are_refused() -> None:
    with pytest.raises(Unsupported, match="no tools"):
        written(said("user", HI), tools=(ToolSpec(name="t"),))
    assert "tools" not in written(said("user", HI), tools=(ToolSpec(name="t"),), tool_choice="none")
    with pytest.raises(Unsupported, match="one answer"):
        written(said("user", HI), choice_count=2)


def test_raw_is_refused_beside_instructions() -> None:
    assert written(said("user", HI), completion=Completion(raw=True))["raw"] is True
    with pytest.raises(Unsupported, match="raw mode does not support"):
        written(said("system", HI), said("user", HI), completion=Completion(raw=True))


def test_an_image_elsewhere_is_refused() -> None:
    with pytest.raises(Unsupported, match="image inline"):
        written(said("user", Image(url="https://example.com/cat.png")))


def test_a_callers_own_body_changes_its_models_name_alone() -> None:
    sent = b'{"MODEL":"up/m","prompt":"h\xc3\xbc","raw":true,"temperature":1.50,"context":[ 1, 2]}'
    wire = DIALECT.retarget(sent, "m", count_usage=True)
    assert wire.path == "/api/generate"
    assert wire.body == '{"MODEL":"m","prompt":"hü","raw":true,"temperature":1.50,"context":[ 1, 2]}'.encode()
    assert wire.losses == ()


def test_a_callers_images_are_made_bare() -> None:
    sent = json.dumps({"model": "up/m", "prompt": "say ;base64,", "images": [f"data:image/png;base64,{PNG}"]})
    body = json.loads(DIALECT.retarget(sent.encode(), "m", count_usage=False).body)
    assert body == {"model": "m", "prompt": "say ;base64,", "images": [PNG]}
    with pytest.raises(InvalidRequest, match="base64"):
        DIALECT.retarget(b'{"model":"m","images":["data:image/png;base64,%"]}', "m", count_usage=False)
