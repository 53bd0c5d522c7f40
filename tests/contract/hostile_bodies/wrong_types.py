"""Every field that a route knows, at every depth, with every kind of value it does not expect."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

WRONG: tuple[Any, ...] = (
    None, True, -1, 2**70, 1.5, 1e300, "", "x", "\x00",
    [], [None], [[]], [{}], [1, "a"], {}, {"": None}, {"a": {"b": []}},
)  # fmt: skip

_CALL = {"id": "c", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}", "index": 0}}
_TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {"type": "object", "properties": {}},
        "strict": True,
    },
}
_PARTS = [
    {"type": "text", "text": "hi"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
]
_CONVERSATION = [
    {"role": "system", "content": "s", "name": "n"},
    {"role": "user", "content": _PARTS},
    {"role": "assistant", "content": None, "refusal": "r", "reasoning_content": "t", "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "done"},
]
_OUTPUT = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "r"}]
_INPUT = [
    {"type": "input_text", "text": "t"},
    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
    {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "p.pdf"},
]
_SAMPLING = {
    "temperature": 1, "top_p": 1, "seed": 1, "stop": ["a"], "presence_penalty": 0, "frequency_penalty": 0, "n": 1,
    "max_tokens": 9, "logprobs": True, "stream": False, "stream_options": {"include_usage": True}, "user": "u",
}  # fmt: skip
_OPTIONS = {
    "temperature": 1,
    "top_k": 1,
    "stop": ["a"],
    "seed": 1,
    "num_predict": 9,
    "numa": True,
    "num_ctx": 1,
}
_OLLAMA = {
    "stream": False,
    "format": {"type": "object"},
    "keep_alive": "5m",
    "options": _OPTIONS,
    "think": True,
}

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": {
        "messages": _CONVERSATION,
        "tools": [_TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": True,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        "reasoning": {"effort": "low", "max_tokens": 1, "enabled": True},
        "thinking": {"type": "enabled", "budget_tokens": 1},
        "reasoning_effort": "low",
        "max_completion_tokens": 9,
        "top_logprobs": 1,
        "functions": [{"name": "f", "parameters": {}}],
        "function_call": {"name": "f"},
        **_SAMPLING,
    },
    "/v1/responses": {
        "instructions": "s",
        "input": [
            {"type": "message", "role": "user", "content": _INPUT},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "content": None},
            {"role": "assistant", "content": _OUTPUT},
            {"type": "function_call", "call_id": "c", "name": "f", "namespace": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"}]},
            {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "i"},
            {"type": "additional_tools", "tools": [{"type": "function", "name": "g"}]},
        ],
        "tools": [
            {"type": "function", "name": "f", "parameters": {}, "strict": True, "description": "d"},
            {"type": "custom", "name": "p", "format": {"type": "text"}},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": True,
        "max_output_tokens": 9,
        "temperature": 1,
        "top_logprobs": 1,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}, "verbosity": "low"},
        "safety_identifier": "u",
        "store": False,
        "stream": False,
    },
    "/api/chat": {
        "messages": [
            {"role": "user", "content": "hi", "images": ["iVBORw0KGgo="]},
            {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [_CALL]},
            {"role": "tool", "tool_name": "f", "tool_call_id": "c", "content": "done"},
        ],
        "tools": [_TOOL],
        "truncate": True,
        "logprobs": True,
        "top_logprobs": 1,
        **_OLLAMA,
    },
    "/v1/completions": {"prompt": "hi", "suffix": "s", "echo": False, "best_of": 1, **_SAMPLING, "logprobs": 1},
    "/api/generate": {
        "prompt": "hi", "suffix": "", "system": "s", "template": "t", "context": [1], "raw": False, "images": [],
        **_OLLAMA,
    },
    "/v1/embeddings": {"input": ["hi"], "dimensions": 1, "encoding_format": "float", "user": "u"},
    "/api/embed": {"input": ["hi"], "truncate": True, "dimensions": 1, "keep_alive": "5m", "options": _OPTIONS},
    "/api/embeddings": {"prompt": "hi", "keep_alive": "5m", "options": _OPTIONS},
}  # fmt: skip


def spoilt(path: str, model: str) -> Iterator[tuple[str, bytes]]:
    """A decent body of the route, with one value in it replaced; what was, and the body."""
    body = {"model": model, **FIELDS[path]}
    for place in _places(body):
        for wrong in WRONG:
            copy = deepcopy(body)
            _put(copy, place, deepcopy(wrong))
            yield f"{'.'.join(map(str, place))} = {wrong!r}", json.dumps(copy).encode()


def _places(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*prefix, key)
        yield from _places(item, (*prefix, key))


def _put(value: Any, place: tuple[Any, ...], wrong: Any) -> None:
    *way, last = place
    for key in way:
        value = value[key]
    value[last] = wrong
