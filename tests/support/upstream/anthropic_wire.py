"""Anthropic's Messages as a provider speaks it."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.support.upstream.answers import Finish, Step, Text, Thought, ToolCall
from tests.support.upstream.chat import BadRequest, Chat, Image, Json, Tool, last_of_user, objects
from tests.support.upstream.wire import Frame, Reply, Usage, encoded

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
SIGNATURE = "c2NyaXB0ZWQ="

_WORDS: dict[Finish, str] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error",
    529: "overloaded_error",
}  # fmt: skip
_HOLDS = {"text": "text", "thinking": "thinking"}


class AnthropicWire:
    """Named events, a block for each run of steps of one kind; usage at both ends."""

    stream_type = "text/event-stream; charset=utf-8"
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'

    def chat(self, body: Json) -> Chat:
        if not isinstance(body.get("max_tokens"), int):
            raise BadRequest("max_tokens: Field required")
        messages = objects(body.get("messages"))
        blocks = [block for message in messages for block in _blocks(message.get("content"))]
        spoken = [(str(message.get("role")), _texts(message.get("content"))) for message in messages]
        config = (body.get("output_config") or {}).get("format") or {}
        thinking = (body.get("thinking") or {}).get("type")
        last = _blocks(messages[-1].get("content")) if messages else []
        return Chat(
            model=str(body.get("model") or ""),
            stream=bool(body.get("stream")),
            texts=(*_texts(body.get("system")), *(text for _, texts in spoken for text in texts)),
            last_user_text=last_of_user((role, "".join(texts)) for role, texts in spoken),
            ends_with_tool_result=any(block.get("type") == "tool_result" for block in last),
            images=tuple(_image(block["source"]) for block in blocks if block.get("type") == "image"),
            tools=tuple(
                Tool(str(tool.get("name")), tool["input_schema"])
                for tool in objects(body.get("tools"))
                if "input_schema" in tool
            ),
            schema=config.get("schema"),
            may_think=thinking != "disabled",
            max_tokens=body["max_tokens"],
            include_usage=True,
            tool_text="".join(
                text
                for block in last
                if block.get("type") == "tool_result"
                for text in _texts(block.get("content"))
            ),
        )

    def whole(self, reply: Reply) -> bytes:
        content = [_whole_block(kind, steps) for kind, steps in _runs(reply.answer.steps)]
        word = _WORDS[reply.answer.finish] if reply.finished else None
        return encoded(
            {**_message(reply), "content": content, "stop_reason": word, "usage": _usage(reply.usage)}
        )

    def frames(self, reply: Reply) -> Iterator[Frame]:
        start = {**_message(reply), "content": [], "stop_reason": None, "usage": _opening_usage(reply.usage)}
        yield Frame(_event("message_start", message=start), "opening")
        for index, (kind, steps) in enumerate(_runs(reply.answer.steps)):
            yield Frame(
                _event("content_block_start", index=index, content_block=_empty(kind, steps)), "content"
            )
            for delta, tokens in _deltas(kind, steps):
                yield Frame(_event("content_block_delta", index=index, delta=delta), "content", tokens)
            yield Frame(_event("content_block_stop", index=index), "content")
        if not reply.finished:
            return
        delta = {"stop_reason": _WORDS[reply.answer.finish], "stop_sequence": None}
        yield Frame(_event("message_delta", delta=delta, usage=_usage(reply.usage)), "finish")
        yield Frame(_event("message_stop"), "done")

    def error(self, status: int, message: str, code: str) -> bytes:
        kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
        told = {"type": kind, "message": message}
        return encoded({"type": "error", "error": told, "request_id": "req_scripted"})

    def stream_error(self, message: str, code: str) -> bytes:
        return _event("error", error={"type": "overloaded_error", "message": message})


def listed(models: Sequence[str]) -> bytes:
    """The models as Anthropic lists them, on one page."""
    data = [
        {
            "type": "model",
            "id": model,
            "display_name": model,
            "created_at": "2026-07-24T00:00:00Z",
            "max_input_tokens": 200_000,
            "max_tokens": 64_000,
        }
        for model in models
    ]
    ends = {"first_id": models[0], "last_id": models[-1]} if models else {"first_id": None, "last_id": None}
    return encoded({"data": data, "has_more": False, **ends})


def _event(name: str, **members: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + encoded({"type": name, **members}) + b"\n\n"


def _message(reply: Reply) -> Json:
    return {
        "id": f"msg_{reply.seq:08d}",
        "type": "message",
        "role": "assistant",
        "model": reply.chat.model,
        "stop_sequence": None,
    }


def _runs(steps: Sequence[Step]) -> list[tuple[str, list[Step]]]:
    """Blocks: texts and thoughts in a row make one each, every call its own."""
    kinds = [
        (f"tool_use {number}" if isinstance(step, ToolCall) else _kind(step), step)
        for number, step in enumerate(steps)
    ]
    runs = [(kind, [step for _, step in run]) for kind, run in groupby(kinds, key=lambda each: each[0])]
    return [(kind.partition(" ")[0], run) for kind, run in runs]


def _kind(step: Step) -> str:
    return "thinking" if isinstance(step, Thought) else "text"


def _empty(kind: str, steps: Sequence[Step]) -> Json:
    match steps[0]:
        case ToolCall(id=call_id, name=name):
            return {"type": kind, "id": call_id, "name": name, "input": {}}
        case Thought():
            return {"type": kind, "thinking": "", "signature": ""}
        case _:
            return {"type": kind, "text": ""}


def _whole_block(kind: str, steps: Sequence[Step]) -> Json:
    first = steps[0]
    if isinstance(first, ToolCall):
        return {"type": kind, "id": first.id, "name": first.name, "input": first.arguments}
    said = "".join(step.text for step in steps if not isinstance(step, ToolCall))
    seal = {"signature": SIGNATURE} if kind == "thinking" else {}
    return {"type": kind, _HOLDS[kind]: said, **seal}


def _deltas(kind: str, steps: Sequence[Step]) -> Iterator[tuple[Json, int]]:
    for step in steps:
        match step:
            case ToolCall():
                yield {"type": "input_json_delta", "partial_json": ""}, 0
                for piece in step.pieces:
                    yield {"type": "input_json_delta", "partial_json": piece}, 1
            case Text() | Thought():
                yield {"type": f"{kind}_delta", _HOLDS[kind]: step.text}, 1
    if kind == "thinking":
        yield {"type": "signature_delta", "signature": SIGNATURE}, 0


def _usage(usage: Usage | None) -> Json:
    """Without what was cached, as Anthropic counts; a provider that keeps silent leaves the counts out."""
    if usage is None:
        return {}
    return {
        "input_tokens": usage.shown(usage.input - usage.cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.shown(usage.output),
        "output_tokens_details": {"thinking_tokens": usage.thoughts},
    }


def _opening_usage(usage: Usage | None) -> Json:
    return _usage(usage) | {"output_tokens": 1} if usage is not None else {}


def _blocks(content: object) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)


def _texts(content: object) -> list[str]:
    return [str(block.get("text", "")) for block in _blocks(content) if block.get("type") == "text"]


def _image(source: Json) -> Image:
    if source.get("type") == "url":
        return Image("url", str(source["url"]).encode())
    try:
        return Image(str(source["media_type"]), b64decode(source["data"], validate=True))
    except ValueError as error:
        raise BadRequest(f"an image is not base64: {error}") from None
