"""OpenAI Chat Completions as a provider speaks it."""

from base64 import b64decode
from collections.abc import Iterator

from tests.support.upstream.answers import TOKEN_LENGTH, Answer, Step, Text, Thought, ToolCall
from tests.support.upstream.chat import BadRequest, Chat, Image, Json, last_of_user, objects, tools_in
from tests.support.upstream.wire import Frame, Reply, Usage, encoded

CREATED = 1_760_000_000


class OpenAIWire:
    """Server-sent events; usage on a last chunk of its own, and only when asked for."""

    stream_type = "text/event-stream; charset=utf-8"
    ping = b": ping\n\n"

    def chat(self, body: Json) -> Chat:
        messages = objects(body.get("messages"))
        spoken = [(str(message.get("role")), _texts(message.get("content"))) for message in messages]
        options = body.get("stream_options") or {}
        return Chat(
            model=str(body.get("model") or ""),
            stream=bool(body.get("stream")),
            texts=tuple(text for _, texts in spoken for text in texts),
            last_user_text=last_of_user((role, "".join(texts)) for role, texts in spoken),
            ends_with_tool_result=bool(spoken) and spoken[-1][0] == "tool",
            images=tuple(image for message in messages for image in _images(message.get("content"))),
            tools=tools_in(body),
            schema=_schema(body.get("response_format") or {}),
            may_think=body.get("reasoning_effort") != "none",
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            include_usage=bool(options.get("include_usage")),
            choices=body.get("n") or 1,
        )

    def whole(self, reply: Reply) -> bytes:
        answer = reply.answer
        choice = {
            "message": _message(reply),
            "finish_reason": answer.finish if reply.finished else None,
            "logprobs": _logprobs([s.text for s in answer.steps if isinstance(s, Text)], answer),
        }
        choices = [{"index": index, **choice} for index in range(reply.answer.choices)]
        body = {**_envelope(reply, "chat.completion"), "choices": choices}
        return encoded(body if reply.usage is None else {**body, "usage": _usage(reply.usage)})

    def frames(self, reply: Reply) -> Iterator[Frame]:
        envelope = _envelope(reply, "chat.completion.chunk")
        usage = reply.usage if reply.chat.include_usage else None
        if usage is not None:
            envelope["usage"] = None

        def chunk(delta: Json, finish: str | None = None, logprobs: Json | None = None) -> bytes:
            choice = {"delta": delta, "finish_reason": finish, "logprobs": logprobs}
            choices = [{"index": index, **choice} for index in range(reply.answer.choices)]
            return _event({**envelope, "choices": choices})

        yield Frame(chunk({"role": "assistant", "content": ""}), "opening")
        index = -1
        for step in reply.answer.steps:
            index += isinstance(step, ToolCall)
            logprobs = _logprobs([step.text], reply.answer) if isinstance(step, Text) else None
            for delta, tokens in _deltas(step, index, reply):
                yield Frame(chunk(delta, None, logprobs), "content", tokens * reply.answer.choices)
        if not reply.finished:
            return
        for annotation in _annotations(reply.answer):
            yield Frame(chunk({"annotations": [annotation]}), "content")
        yield Frame(chunk({}, reply.answer.finish), "finish")
        if usage is not None:
            yield Frame(_event({**envelope, "choices": [], "usage": _usage(usage)}), "usage")
        yield Frame(b"data: [DONE]\n\n", "done")

    def error(self, status: int, message: str, code: str) -> bytes:
        kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
        return encoded({"error": {"message": message, "type": kind, "param": None, "code": code or None}})

    def stream_error(self, message: str, code: str) -> bytes:
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        return _event({"error": error})


def _event(payload: Json) -> bytes:
    return b"data: " + encoded(payload) + b"\n\n"


def _envelope(reply: Reply, kind: str) -> Json:
    envelope = {
        "id": f"chatcmpl-{reply.seq:08d}",
        "object": kind,
        "created": CREATED,
        "model": reply.chat.model,
    }
    return envelope | _listed_sources(reply.answer)


def _message(reply: Reply) -> Json:
    answer = reply.answer
    message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.thoughts:
        message[reply.thought_field] = answer.thoughts
    if answer.calls:
        message["content"] = None
        message["tool_calls"] = [_call(call) for call in answer.calls]
    if annotations := _annotations(answer):
        message["annotations"] = annotations
    return message


def source(number: int) -> Json:
    """Where the token of this number comes from, as an annotation tells it."""
    start = number * TOKEN_LENGTH
    return {
        "url": f"https://example.org/{number}",
        "title": f"Source {number}",
        "start_index": start,
        "end_index": start + TOKEN_LENGTH - 1,
    }


def _annotations(answer: Answer) -> list[Json]:
    if answer.sources_as != "annotations":
        return []
    return [{"type": "url_citation", "url_citation": source(number)} for number in range(answer.sources)]


def _listed_sources(answer: Answer) -> Json:
    if answer.sources_as != "list":
        return {}
    found = [source(number) for number in range(answer.sources)]
    results = [{"url": each["url"], "title": each["title"], "date": None} for each in found]
    return {"citations": [each["url"] for each in found], "search_results": results}


def _deltas(step: Step, index: int, reply: Reply) -> list[tuple[Json, int]]:
    """What a step adds to the stream, each with its tokens; a tool call is first named, then given arguments."""
    match step:
        case Text():
            return [({"content": step.text}, 1)]
        case Thought():
            return [({reply.thought_field: step.text}, 1)]
        case ToolCall():
            shown = 0 if step.parts == "same_index" else index
            if step.parts == "at_once":
                return [({"tool_calls": [{"index": shown, **_call(step)}]}, len(step.pieces))]
            function = {"name": step.name, "arguments": ""}
            name = {"index": shown, "id": step.id, "type": "function", "function": function}
            pieces = [{"index": shown, "function": {"arguments": piece}} for piece in step.pieces]
            return [({"tool_calls": [name]}, 0), *(({"tool_calls": [piece]}, 1) for piece in pieces)]


def _call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": "".join(call.pieces)}
    return {"id": call.id, "type": "function", "function": function}


def _logprobs(texts: list[str], answer: Answer) -> Json | None:
    if not answer.logprobs:
        return None
    drawn = ({"token": text, "logprob": -0.25, "bytes": list(text.encode())} for text in texts)
    content = [{**token, "top_logprobs": [token]} for token in drawn]
    return {"content": content, "refusal": None}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.shown(usage.input),
        "completion_tokens": usage.shown(usage.output),
        "total_tokens": usage.shown(usage.input + usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.thoughts},
    }


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(part.get("text", "")) for part in objects(content) if part.get("type") == "text"]


def _images(content: object) -> Iterator[Image]:
    for part in [] if isinstance(content, str) else objects(content):
        if part.get("type") == "image_url":
            yield image_of(str(part["image_url"]["url"]))


def image_of(url: str) -> Image:
    """An image by its data URI, or by its address."""
    if not url.startswith("data:"):
        return Image("url", url.encode())
    head, _, data = url.removeprefix("data:").partition(",")
    try:
        return Image(head.removesuffix(";base64"), b64decode(data, validate=True))
    except ValueError as error:
        raise BadRequest(f"an image is not base64: {error}") from None


def _schema(response_format: Json) -> Json | None:
    if response_format.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    schema: Json | None = (response_format.get("json_schema") or {}).get("schema")
    return schema
