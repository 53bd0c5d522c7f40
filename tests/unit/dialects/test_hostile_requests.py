"""Requests made to harm: another model behind the one that was judged, numbers that are none, lists without end."""

import json

import pytest

from relay.adapters.dialects import embeddings, lenient, ollama_chat, openai_chat, openai_completions
from relay.adapters.dialects.base import MAX_ITEMS
from relay.adapters.dialects.splice import is_other_spelling
from relay.domain.errors import InvalidRequest

SPELLINGS = ("MODEL", "Model", "mOdEl")


def names_of(body: bytes) -> list[str]:
    """The members that a decoder which does not look at case takes for the model."""
    pairs: list[tuple[str, object]] = json.loads(body, object_pairs_hook=lambda found: found)
    return [str(value) for name, value in pairs if name.lower() == "model"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_body_that_passes_names_one_model_whoever_reads_it(spelling: str) -> None:
    chat = b'{"%b":"other","model":"asked","messages":[{"role":"user","content":"hi"}],"%b":"other"}'
    embed = b'{"%b":"other","model":"asked","input":"hi","%b":"other"}'
    name = spelling.encode()
    passed = (
        openai_chat.DIALECT.retarget(chat % (name, name), "m", count_usage=True),
        ollama_chat.DIALECT.retarget(chat % (name, name), "m", count_usage=True),
        embeddings.OPENAI.retarget(embed % (name, name), "m"),
        embeddings.OLLAMA.retarget(embed % (name, name), "m"),
    )
    for wire in passed:
        assert set(names_of(wire.body)) == {"m"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_body_that_is_written_anew_names_one_model_whoever_reads_it(spelling: str) -> None:
    members = {
        "model": "asked",
        spelling: "other",
        "prompt": "hi",
        "messages": [{"role": "user", "content": "hi"}],
    }
    body = json.dumps(members).encode()
    for request in (
        openai_chat.DIALECT.decode_request(body),
        openai_completions.DIALECT.decode_request(body),
    ):
        assert request.model == "asked"
        assert names_of(openai_chat.DIALECT.encode_request(request).body) == ["asked"]
    embed = embeddings.OPENAI.decode_request(json.dumps({**members, "input": "hi"}).encode())
    assert names_of(embeddings.OPENAI.encode_request(embed).body) == ["asked"]


def test_only_other_letters_are_another_spelling() -> None:
    assert not any(map(is_other_spelling, ("model", "models", "Models", "mode", "")))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("member", ['"temperature":{}', '"x":{}', '"x":[{}]', '"messages":[{{"role":{}}}]'])
def test_what_is_no_number_in_json_is_none_in_a_request(number: str, member: str) -> None:
    body = f'{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{member.format(number)}}}'.encode()
    for dialect in (openai_chat.DIALECT, ollama_chat.DIALECT):
        with pytest.raises(InvalidRequest):
            dialect.retarget(body, "m", count_usage=True)
        with pytest.raises(InvalidRequest):
            dialect.decode_request(body)


def test_a_provider_may_still_write_what_is_no_number() -> None:
    assert lenient.loads(b'{"logprob":-Infinity}') == {"logprob": float("-inf")}
    with pytest.raises(lenient.Undecodable):
        lenient.loads(b'{"logprob":-Infinity}', finite=True)


def test_to_ollama_bytes_that_are_no_utf_8_are_characters_nobody_knows() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"a\xffb\xed\xa0\x80"}],"x":"\x80","\xfe":1}'
    request = ollama_chat.DIALECT.decode_request(body)
    assert "a\ufffdb" in str(request.messages[0].parts)
    sent = json.loads(ollama_chat.DIALECT.retarget(body, "m", count_usage=True).body)
    assert sent["messages"][0]["content"].startswith("a\ufffdb\ufffd")
    assert sent["x"] == "\ufffd"
    assert ollama_chat.DIALECT.peek(b'{"model":"m\xff"}').model == "m\ufffd"


def test_to_openai_they_are_no_request() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"x":"\xff"}'
    for read in (openai_chat.DIALECT.peek, openai_chat.DIALECT.decode_request):
        with pytest.raises(InvalidRequest):
            read(body)


def chat(**members: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **members}).encode()


MESSAGE = {"role": "user", "content": "x"}
PART = {"type": "text", "text": "x"}
CALL = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f"}}
HALF = MAX_ITEMS // 2 + 1


@pytest.mark.parametrize(
    "body",
    [
        chat(messages=[MESSAGE] * (MAX_ITEMS + 1)),
        chat(messages=[{"Role": "user"}] * (MAX_ITEMS + 1)),
        chat(messages=[{**MESSAGE, "content": [PART] * HALF}] * 2),
        chat(messages=[{"role": "assistant", "tool_calls": [CALL] * HALF}] * 2),
        chat(messages=[{"role": "assistant", "Tool_Calls": [CALL] * HALF, "tool_calls": [CALL] * HALF}]),
        chat(tools=[TOOL] * (MAX_ITEMS + 1)),
        chat(messages=[MESSAGE] * HALF, tools=[TOOL] * HALF),
    ],
    ids=["messages", "other case", "parts", "calls", "calls twice", "tools", "both"],
)
def test_more_items_than_are_taken_apart_are_refused(body: bytes) -> None:
    for dialect in (openai_chat.DIALECT, ollama_chat.DIALECT):
        if dialect is openai_chat.DIALECT and (b"Role" in body or b"Tool_Calls" in body):
            continue  # keys in another case are Ollama's alone
        with pytest.raises(InvalidRequest, match="more than"):
            dialect.decode_request(body)


@pytest.mark.parametrize("dialect", [embeddings.OPENAI, embeddings.OLLAMA], ids=["openai", "ollama"])
def test_more_inputs_than_are_taken_apart_are_refused(dialect: embeddings.EmbeddingDialect) -> None:
    body = json.dumps({"model": "m", "input": ["x"] * (MAX_ITEMS + 1)}).encode()
    with pytest.raises(InvalidRequest, match="more than"):
        dialect.decode_request(body)


def test_a_request_of_many_items_is_a_request() -> None:
    body = chat(messages=[MESSAGE] * (MAX_ITEMS - 1), tools=[TOOL])
    for dialect in (openai_chat.DIALECT, ollama_chat.DIALECT):
        assert len(dialect.decode_request(body).messages) == MAX_ITEMS - 1
    ids = json.dumps({"model": "m", "input": [1] * (MAX_ITEMS + 1)}).encode()
    assert len(embeddings.OPENAI.decode_request(ids).token_lists) == 1
