"""What a caller's generate means, and which calls have no prompt."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.ollama_generate import DIALECT, load_or_unload
from relay.domain.chat import (
    ChatRequest,
    Completion,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Reasoning,
    Sampling,
    Text,
)
from relay.domain.errors import InvalidRequest

PNG = "iVBORw0KGgoAAAANSUhEUg=="


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "prompt": "hi", **members}).encode()


def decoded(**members: Any) -> ChatRequest:
    return DIALECT.decode_request(body(**members))


def said(role: str, *parts: Text | Image) -> Message:
    return Message(role="system" if role == "system" else "user", parts=parts)


def test_a_prompt_is_what_a_user_says() -> None:
    assert decoded() == ChatRequest(
        model="m", messages=(said("user", Text(text="hi")),), stream=True, completion=None
    )


def test_system_and_images_are_said_too() -> None:
    read = decoded(system="Be brief.", images=[PNG, f"data:image/png;base64,{PNG}"])
    picture = Image(data=PNG, media_type="image/png")
    assert read.messages == (
        said("system", Text(text="Be brief.")),
        said("user", Text(text="hi"), picture, picture),
    )


def test_settings_are_those_of_chat() -> None:
    read = decoded(
        stream=False,
        options={"temperature": 0.5, "num_predict": 9.0, "num_ctx": 8192, "top_k": None, "stop": ["a"]},
        format={"type": "object"},
        think="high",
        logprobs=True,
        top_logprobs=2,
        keep_alive="5m",
        truncate=False,
    )
    assert read.sampling == Sampling(
        temperature=0.5, max_output_tokens=9, stop=("a",), logprobs=True, top_logprobs=2
    )
    assert read.output == JsonSchema(schema='{"type": "object"}')
    assert read.reasoning == Reasoning(effort="high")
    assert read.stream is False
    assert read.extras == {
        "ollama.generate": {"keep_alive": '"5m"', "truncate": "false", "options": '{"num_ctx":8192}'}
    }
    assert decoded(format="json").output == JsonObject()
    assert decoded(format="").output is None


def test_a_suffix_or_raw_makes_it_a_completion() -> None:
    assert decoded(suffix="}").completion == Completion(suffix="}")
    assert decoded(raw=True).completion == Completion(raw=True)
    assert decoded(raw=True, suffix="}").completion == Completion(suffix="}", raw=True)
    for nothing in ({"suffix": "", "raw": False}, {"suffix": None, "raw": None}):
        assert decoded(**nothing).completion is None


def test_template_and_context_are_kept_for_an_ollama() -> None:
    own = decoded(template="{{ .Prompt }}", context=[1, 2], unknown={"a": 1.50}).extras["ollama.generate"]
    assert own == {"template": '"{{ .Prompt }}"', "context": "[1,2]", "unknown": '{"a": 1.5}'}
    assert decoded(template="", context=[]).extras == {}


@pytest.mark.parametrize("member", [{"system": "x"}, {"template": "x"}, {"context": [1]}])
def test_raw_takes_nothing_that_a_template_would_place(member: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"^raw mode does not support template, system, or context$"):
        decoded(raw=True, **member)
    assert decoded(raw=False, **member).completion is None


def test_raw_takes_empty_members() -> None:
    assert decoded(raw=True, system="", template=None, context=[]).completion == Completion(raw=True)


def test_keys_count_in_any_case_and_odd_bytes_are_read() -> None:
    odd = b'\xef\xbb\xbf{"MODEL":"m","Prompt":"h\\ud83d","STREAM":null,"Raw":true} {"model":"other"}'
    read = DIALECT.decode_request(odd)
    assert (read.model, read.stream, read.completion) == ("m", True, Completion(raw=True))
    assert read.messages == (said("user", Text(text="h\ufffd")),)
    assert DIALECT.peek(odd).model == "m"


@pytest.mark.parametrize(
    "member",
    [
        {"prompt": 5},
        {"prompt": ["hi"]},
        {"suffix": 1},
        {"system": {}},
        {"template": 1},
        {"context": "1,2"},
        {"context": ["a"]},
        {"raw": "yes"},
        {"images": ["%%%"]},
        {"images": [""]},
        {"options": []},
        {"options": {"seed": "x"}},
        {"keep_alive": "10"},
        {"think": 3},
        {"format": "xml"},
        {"top_logprobs": 21},
    ],
)
def test_what_a_real_ollama_refuses_is_refused(member: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decoded(**member)
    assert refused.value.status == 400


@pytest.mark.parametrize("model", [None, ""])
def test_no_model_is_an_unknown_model(model: str | None) -> None:
    for read in (DIALECT.peek, DIALECT.decode_request):
        with pytest.raises(InvalidRequest, match=r"^model '' not found$") as refused:
            read(body(model=model))
        assert refused.value.status == 404


def test_no_body_is_told_as_ollama_tells_it() -> None:
    for read in (DIALECT.peek, DIALECT.decode_request, load_or_unload):
        with pytest.raises(InvalidRequest, match=r"^missing request body$"):
            read(b" ")


def test_the_size_is_that_of_the_words() -> None:
    sized = DIALECT.peek(body(prompt="x" * 100, suffix="y" * 10, system="z", images=["A" * 4000]))
    assert sized.message_bytes == 111
    assert (sized.stream, sized.include_usage) == (True, True)
    assert DIALECT.peek(body(stream=False)).stream is False
    assert DIALECT.peek(body(prompt="", suffix="y", images=[PNG])).message_bytes == 0


def test_without_a_prompt_it_loads_or_unloads() -> None:
    assert load_or_unload(body(prompt="")) == "load"
    assert load_or_unload(b'{"model":"m"}') == "load"
    assert load_or_unload(body(prompt=None, keep_alive="10m", system="x")) == "load"
    assert load_or_unload(body(prompt="", keep_alive=0)) == "unload"
    assert load_or_unload(b'{"model":"m","KEEP_ALIVE":"0s"}') == "unload"
    assert load_or_unload(body(keep_alive=0)) is None
    with pytest.raises(InvalidRequest, match="missing unit"):
        load_or_unload(body(prompt="", keep_alive="10"))
