"""What a caller's completion means, and what is refused with the reason why."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_completions import DIALECT
from relay.domain.chat import ChatRequest, Completion, Message, Sampling, Text
from relay.domain.errors import ClientError, InvalidRequest, Unsupported


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "prompt": "hi", **members}).encode()


def decoded(**members: Any) -> ChatRequest:
    return DIALECT.decode_request(body(**members))


def refusal(**members: Any) -> ClientError:
    with pytest.raises((InvalidRequest, Unsupported)) as refused:
        decoded(**members)
    return refused.value


def test_a_prompt_is_what_a_user_says() -> None:
    expected = ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="hi"),)),))
    assert decoded() == decoded(prompt=["hi"]) == expected
    assert decoded(prompt="").messages == decoded(prompt=[""]).messages == (Message(role="user", parts=()),)


def test_no_limit_is_no_limit() -> None:
    assert decoded().sampling == Sampling()
    assert decoded(max_tokens=None).sampling.max_output_tokens is None
    assert decoded(max_tokens=16).sampling.max_output_tokens == 16


def test_settings_are_taken_as_they_are() -> None:
    read = decoded(
        max_tokens=5.0,
        temperature=0,
        top_p=1,
        top_k=3,
        min_p=0.1,
        seed=7,
        stop="\n",
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repetition_penalty=1.1,
        n=2,
        user="u",
        best_of=1,
        echo=False,
    )
    assert read.sampling == Sampling(
        max_output_tokens=5,
        temperature=0,
        top_p=1,
        top_k=3,
        min_p=0.1,
        seed=7,
        stop=("\n",),
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repeat_penalty=1.1,
    )
    assert (read.choice_count, read.user, read.extras) == (2, "u", {})
    assert decoded(stop=["a", "", "b"]).sampling.stop == ("a", "b")


@pytest.mark.parametrize(
    ("asked", "logprobs", "top"), [(None, None, None), (0, True, None), (1, True, 1), (5, True, 5)]
)
def test_logprobs_are_a_number_of_rivals(asked: int | None, logprobs: bool | None, top: int | None) -> None:
    sampling = decoded(logprobs=asked).sampling
    assert (sampling.logprobs, sampling.top_logprobs) == (logprobs, top)


def test_null_means_absent() -> None:
    nulls = dict.fromkeys(
        (
            "suffix",
            "stream",
            "stream_options",
            "temperature",
            "stop",
            "logprobs",
            "n",
            "best_of",
            "echo",
            "user",
        )
    )
    assert decoded(**nulls, logit_bias=None, unknown=None) == decoded()


def test_a_suffix_asks_for_the_middle() -> None:
    assert decoded(suffix="}").completion == Completion(suffix="}")
    assert decoded(suffix="").completion is None


def test_usage_is_for_streams_that_ask() -> None:
    for members, wanted in (
        ({"stream": True, "stream_options": {"include_usage": True}}, (True, True)),
        ({"stream": True}, (True, False)),
        ({"stream": True, "stream_options": {}}, (True, False)),
        ({"stream_options": {"include_usage": True}}, (False, False)),
    ):
        read, envelope = decoded(**members), DIALECT.peek(body(**members))
        assert (read.stream, read.include_usage) == wanted
        assert (envelope.stream, envelope.include_usage) == wanted


def test_what_the_relay_does_not_know_is_kept_to_be_told() -> None:
    read = decoded(
        logit_bias={"50256": -100},
        response_format={"type": "text"},
        empty=[],
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    assert read.extras == {
        "openai.chat": {"logit_bias": '{"50256": -100}'},
        "openai.completions": {
            "response_format": '{"type": "text"}',
            "stream_options.include_obfuscation": "false",
        },
    }


@pytest.mark.parametrize(
    ("members", "param", "words"),
    [
        ({"prompt": ["a", "b"]}, "prompt", "one request for each"),
        ({"prompt": [1, 2, 3]}, "prompt", "send the prompt as text"),
        ({"prompt": [[1, 2], [3]]}, "prompt", "send the prompt as text"),
        ({"prompt": ["a", 1]}, "prompt", "send the prompt as text"),
        ({"echo": True}, "echo", "before the answer yourself"),
        ({"best_of": 3}, "best_of", "best_of"),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_with_what_to_do(
    members: dict[str, Any], param: str, words: str
) -> None:
    error = refusal(**members)
    assert (error.status, error.code, error.param) == (400, "unsupported_value", param)
    assert words in error.message


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"model": None}, "missing_required_parameter", "model"),
        ({"model": ""}, "missing_required_parameter", "model"),
        ({"prompt": None}, "missing_required_parameter", "prompt"),
        ({"prompt": []}, "missing_required_parameter", "prompt"),
        ({"prompt": 5}, "invalid_value", "prompt"),
        ({"prompt": {"text": "hi"}}, "invalid_value", "prompt"),
        ({"prompt": [None]}, "invalid_value", "prompt"),
        ({"prompt": [["a"]]}, "invalid_value", "prompt"),
        ({"suffix": ["}"]}, "invalid_value", "suffix"),
        ({"n": 0}, "invalid_value", "n"),
        ({"logprobs": -1}, "invalid_value", "logprobs"),
        ({"logprobs": True}, "invalid_value", "logprobs"),
        ({"max_tokens": "many"}, "invalid_value", "max_tokens"),
        ({"stop": 5}, "invalid_value", "stop"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(members: dict[str, Any], code: str, param: str) -> None:
    error = refusal(**members)
    assert (error.status, error.code, error.param) == (400, code, param)
    assert isinstance(error, InvalidRequest)


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"\xff", b'{"model":"m","prompt":"\xff"}'])
def test_a_body_that_is_no_json_object_is_refused(broken: bytes) -> None:
    for read in (DIALECT.peek, DIALECT.decode_request):
        with pytest.raises(InvalidRequest):
            read(broken)


def test_irregular_text_is_cleaned() -> None:
    odd = b'{"model":"m","prompt":"h\\ud83d\\u0000"}'
    assert DIALECT.decode_request(odd).messages[0].parts == (Text(text="h\ufffd\x00"),)


def test_the_size_is_that_of_the_words() -> None:
    assert DIALECT.peek(body(prompt="x" * 100, suffix="y" * 10)).message_bytes == 114
    assert DIALECT.peek(b'{"model":"m"}').message_bytes == 0
