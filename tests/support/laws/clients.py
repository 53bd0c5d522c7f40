"""Laws of the bytes themselves: the vendors' own clients read the same answer out of them.

A codec that is only tested against itself may agree with itself and nobody else.
"""

import json
from collections.abc import Callable
from typing import Any

from ollama import ChatResponse as OllamaChatResponse
from ollama import GenerateResponse
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from relay.domain.chat import DialectName, Refusal, Text, Thinking, ToolCall
from relay.domain.events import ChatResponse
from tests.support.laws.language import ClientLanguage, Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.streams import Answer, Stream, answers, streams
from tests.support.strategies.cuts import chunked

type Read = dict[str, object]
"""What a client makes of an answer: the first choice's texts, calls, finish and the counts."""

SEPARATORS = ("\u2028".encode(), "\u2029".encode(), "\x85".encode())


def openai_stream(data: bytes) -> Read:
    """As `client.chat.completions.stream()` of openai-python accumulates it."""
    *frames, done, rest = data.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", ""), (
        "the stream ends in the marker that hand-written clients wait for"
    )
    state = ChatCompletionStreamState()
    roles: dict[int, list[object]] = {}
    for frame in frames:
        assert len(frame.splitlines()) == 1, "no reader of lines may find two"
        chunk = ChatCompletionChunk.model_validate_json(frame.removeprefix("data: "))
        state.handle_chunk(chunk)
        for choice in chunk.choices:
            roles.setdefault(choice.index, []).append(choice.delta.role)
    for said in roles.values():
        assert said[0] == "assistant", "openai-node refuses a choice without a role"
        assert not any(said[1:]), "openai-python would read assistantassistant"
    return _openai_read(state.current_completion_snapshot)


def openai_whole(data: bytes) -> Read:
    """As openai-python parses a body."""
    return _openai_read(ChatCompletion.model_validate_json(data))


def _openai_read(completion: Any) -> Read:  # the accumulated and the parsed type share no base
    choice, usage = completion.choices[0], completion.usage
    message = choice.message
    assert completion.model == "asked-for"
    assert message.role == "assistant"
    calls = message.tool_calls or []
    assert all(call.type == "function" for call in calls)
    return {
        "thinking": getattr(message, "reasoning_content", None) or "",
        "text": message.content or "",
        "refusal": message.refusal or "",
        "calls": [(call.id, call.function.name, json_or_text(call.function.arguments)) for call in calls],
        "cites": [_cited(annotation) for annotation in message.annotations or ()],
        "finish": choice.finish_reason,
        "counts": (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
    }


def _cited(annotation: Any) -> tuple[object, ...]:
    """An annotation, parsed from a body or put together from chunks as plain objects."""
    told = annotation if isinstance(annotation, dict) else annotation.model_dump()
    assert told["type"] == "url_citation"
    return tuple(told["url_citation"][name] for name in ("url", "title", "start_index", "end_index"))


def completions_stream(data: bytes) -> Read:
    """As openai-python hands chunks to whoever reads a text completion; it takes their null finish unchecked."""
    *frames, done, rest = data.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(len(frame.splitlines()) == 1 for frame in frames)
    chunks = [Completion.construct(**json.loads(frame.removeprefix("data: "))) for frame in frames]
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    first = [choice for chunk in chunks for choice in chunk.choices if choice.index == 0]
    finishes = [choice.finish_reason for choice in first]
    assert finishes[:-1] == [None] * (len(finishes) - 1), "nothing of a choice follows its finish"
    usage = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert usage in ([], [chunks[-1].usage])
    return _completions_read(chunks[-1], "".join(choice.text for choice in first), finishes[-1])


def completions_whole(data: bytes) -> Read:
    """As openai-python parses a body."""
    completion = Completion.model_validate_json(data)
    return _completions_read(completion, completion.choices[0].text, completion.choices[0].finish_reason)


def _completions_read(last: Completion, text: str, finish: str | None) -> Read:
    assert (last.model, last.object) == ("asked-for", "text_completion")
    assert last.id.startswith("cmpl-")
    usage = last.usage
    return {
        "thinking": "",
        "text": text,
        "refusal": "",
        "calls": [],
        "cites": [],
        "finish": finish,
        "counts": (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
    }


def ollama_stream(data: bytes) -> Read:
    """As ollama-python reads lines; its HTTP client splits on more than LF."""
    assert data.endswith(b"\n")
    lines = [OllamaChatResponse.model_validate_json(line) for line in data.decode().splitlines()]
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    return _ollama_read(lines)


def ollama_whole(data: bytes) -> Read:
    """As ollama-python parses a body."""
    return _ollama_read([OllamaChatResponse.model_validate_json(data)])


def _ollama_read(lines: list[OllamaChatResponse]) -> Read:
    assert all(line.model == "asked-for" for line in lines)
    assert all(line.message.role == "assistant" for line in lines)
    last = lines[-1]
    calls = [call for line in lines for call in line.message.tool_calls or ()]
    assert min(last.total_duration or 0, last.eval_duration or 0, last.prompt_eval_duration or 0) > 0
    return {
        "thinking": "".join(line.message.thinking or "" for line in lines),
        "text": "".join(line.message.content or "" for line in lines),
        "refusal": "",
        "calls": [(call.function.name, dict(call.function.arguments)) for call in calls],
        "cites": [],
        "finish": last.done_reason,
        "counts": (last.prompt_eval_count or 0, last.eval_count or 0),
    }


def generate_stream(data: bytes) -> Read:
    """As ollama-python reads lines."""
    assert data.endswith(b"\n")
    lines = data.decode().splitlines()
    assert [json.loads(line)["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    return _generate_read(lines)


def generate_whole(data: bytes) -> Read:
    """As ollama-python parses a body."""
    return _generate_read([data.decode()])


def _generate_read(lines: list[str]) -> Read:
    """The client's own type has no tool calls, though Ollama's answer has."""
    parsed = [GenerateResponse.model_validate_json(line) for line in lines]
    assert all(line.model == "asked-for" for line in parsed)
    last = parsed[-1]
    assert min(last.total_duration or 0, last.eval_duration or 0, last.prompt_eval_duration or 0) > 0
    calls = [call for line in lines for call in json.loads(line).get("tool_calls", ())]
    return {
        "thinking": "".join(line.thinking or "" for line in parsed),
        "text": "".join(line.response or "" for line in parsed),
        "refusal": "",
        "calls": [(call["function"]["name"], call["function"]["arguments"]) for call in calls],
        "cites": [],
        "finish": last.done_reason,
        "counts": (last.prompt_eval_count or 0, last.eval_count or 0),
    }


def _should_read(response: ChatResponse, dialect: DialectName) -> Read:
    choice, usage = response.choices[0], response.usage
    parts = choice.parts
    calls = [part for part in parts if isinstance(part, ToolCall)]
    return {
        "thinking": "".join(part.text for part in parts if isinstance(part, Thinking)),
        "text": "".join(part.text for part in parts if isinstance(part, Text)),
        "refusal": "".join(part.text for part in parts if isinstance(part, Refusal)),
        "calls": [
            (call.id, call.name, json_or_text(call.arguments))
            if dialect == "openai.chat"
            else (call.name, json_or_text(call.arguments))
            for call in calls
        ],
        "cites": [
            (each.url, each.title, each.start, each.end)
            for part in parts
            if isinstance(part, Text)
            for each in part.citations
        ],
        "finish": choice.finish if dialect.startswith("openai.") else choice.raw_finish,
        "counts": (usage.input_tokens or 0, usage.output_tokens or 0) if usage else (0, 0),
    }


def json_or_text(text: str) -> object:
    """The JSON value of `text`, or the text when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


STREAM_READERS: dict[DialectName, Callable[[bytes], Read]] = {
    "openai.chat": openai_stream,
    "ollama.chat": ollama_stream,
    "ollama.generate": generate_stream,
    "openai.completions": completions_stream,
}
WHOLE_READERS: dict[DialectName, Callable[[bytes], Read]] = {
    "openai.chat": openai_whole,
    "ollama.chat": ollama_whole,
    "ollama.generate": generate_whole,
    "openai.completions": completions_whole,
}


def _client_reads_stream(language: ClientLanguage, answer: Answer) -> None:
    data = language.written(answer.events, a_scene())
    expected = language.expected(answer.response, a_scene())
    assert STREAM_READERS[language.dialect.name](data) == _should_read(expected, language.dialect.name)


def _client_reads_whole(language: ClientLanguage, answer: Answer) -> None:
    data = language.dialect.encode_response(answer.response, a_scene())
    expected = language.expected(answer.response, a_scene())
    assert WHOLE_READERS[language.dialect.name](data) == _should_read(expected, language.dialect.name)


def _client_reads_tap(language: Language, answer: Answer) -> None:
    """A provider of the same dialect, passed through."""
    data = language.written(answer.events, a_scene(model="served-by"))
    expected = language.expected(answer.response, a_scene())
    _, raw = language.tapped(chunked(data, answer.lengths), a_scene())
    assert STREAM_READERS[language.dialect.name](raw) == _should_read(expected, language.dialect.name)


def _separators_escaped(language: Language, stream: Stream) -> None:
    _, raw = language.tapped([stream.data], a_scene())
    assert not any(separator in raw for separator in SEPARATORS)


def _nothing_splits(language: ClientLanguage, answer: Answer) -> None:
    written = language.written(answer.events, a_scene())
    whole = language.dialect.encode_response(answer.response, a_scene())
    assert not any(separator in data for data in (written, whole) for separator in SEPARATORS)


CLIENT_STREAM = Law("the vendor's client reads the stream", answers, _client_reads_stream)
CLIENT_WHOLE = Law("the vendor's client reads the whole answer", answers, _client_reads_whole)
CLIENT_TAP = Law("the vendor's client reads what a tap passed on", answers, _client_reads_tap)
SEPARATORS_TAP = Law("a tap passes on no line separator", streams, _separators_escaped)
SEPARATORS_WRITTEN = Law("no line separator is written", answers, _nothing_splits)

WRITTEN_LAWS = (CLIENT_STREAM, CLIENT_WHOLE, SEPARATORS_WRITTEN)
CLIENT_LAWS = (*WRITTEN_LAWS, CLIENT_TAP, SEPARATORS_TAP)
