"""OpenAI's Responses as a provider speaks it."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from tests.support.upstream.answers import Step, Text, Thought, ToolCall
from tests.support.upstream.chat import Chat, Json, Tool, last_of_user, objects
from tests.support.upstream.openai_wire import CREATED, OpenAIWire, image_of, source
from tests.support.upstream.wire import Frame, Reply, Usage, encoded

PATH = "/responses"
SEAL = "c2NyaXB0ZWQ="

_OUTPUTS = ("function_call_output", "custom_tool_call_output")


class ResponsesWire:
    """Named events with rising numbers, an item for each run of steps of one kind; errors as in OpenAI's chat."""

    stream_type = "text/event-stream; charset=utf-8"
    ping = b": ping\n\n"

    def chat(self, body: Json) -> Chat:
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)
        spoken = [(str(item.get("role")), _texts(item.get("content"))) for item in items]
        results = [
            text for item in items if item.get("type") in _OUTPUTS for text in _texts(item.get("output"))
        ]
        texts = (*_texts(body.get("instructions")), *(text for _, said in spoken for text in said), *results)
        asked = (body.get("text") or {}).get("format") or {}
        schema = asked.get("schema")
        if asked.get("type") == "json_object":
            schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
        contents = [item.get("content", item.get("output")) for item in items]
        return Chat(
            model=str(body.get("model") or ""),
            stream=bool(body.get("stream")),
            texts=texts,
            last_user_text=last_of_user((role, "".join(said)) for role, said in spoken),
            ends_with_tool_result=bool(items) and items[-1].get("type") in _OUTPUTS,
            images=tuple(
                image_of(part["image_url"])
                for content in contents
                if isinstance(content, list)
                for part in content
                if part.get("type") == "input_image"
            ),
            tools=tuple(
                Tool(str(tool.get("name")), tool.get("parameters") or {})
                for tool in objects(body.get("tools"))
                if tool.get("type") == "function"
            ),
            schema=schema,
            may_think=(body.get("reasoning") or {}).get("effort") != "none",
            max_tokens=body.get("max_output_tokens"),
            include_usage=True,
        )

    def whole(self, reply: Reply) -> bytes:
        items = [_item(number, kind, steps, reply) for number, kind, steps in _runs(reply.answer.steps)]
        return encoded(_response(reply, items, is_over=reply.finished))

    def frames(self, reply: Reply) -> Iterator[Frame]:
        numbers = iter(range(1_000_000))

        def event(kind: str, **members: Any) -> bytes:
            name = f"response.{kind}"
            payload = {"type": name, "sequence_number": next(numbers), **members}
            return b"event: %b\ndata: %b\n\n" % (name.encode(), encoded(payload))

        yield Frame(event("created", response=_response(reply, [], is_over=False)), "opening")
        items: list[Json] = []
        for number, kind, steps in _runs(reply.answer.steps):
            item = _item(number, kind, steps, reply)
            at = {"item_id": item["id"], "output_index": number}
            opened = {**item, **_EMPTY[kind]}
            yield Frame(event("output_item.added", output_index=number, item=opened), "opening")
            if kind == "message":
                part = {**item["content"][0], "text": "", "annotations": []}
                yield Frame(event("content_part.added", **at, content_index=0, part=part), "opening")
            for piece, tokens in _pieces(steps):
                yield Frame(event(_DELTAS[kind], **at, **_PLACES[kind], delta=piece), "content", tokens)
            yield Frame(event("output_item.done", output_index=number, item=item), "content")
            items.append(item)
        if reply.finished:
            end = "incomplete" if reply.answer.finish == "length" else "completed"
            yield Frame(event(end, response=_response(reply, items, is_over=True)), "finish")

    def error(self, status: int, message: str, code: str) -> bytes:
        return OpenAIWire().error(status, message, code)

    def stream_error(self, message: str, code: str) -> bytes:
        payload = {"type": "error", "code": code or None, "message": message, "param": None}
        return b"event: error\ndata: %b\n\n" % encoded(payload)


_DELTAS = {
    "message": "output_text.delta",
    "reasoning": "reasoning_summary_text.delta",
    "function_call": "function_call_arguments.delta",
}
_PLACES: dict[str, Json] = {
    "message": {"content_index": 0, "logprobs": []},
    "reasoning": {"summary_index": 0},
    "function_call": {},
}
_EMPTY: dict[str, Json] = {
    "message": {"content": [], "status": "in_progress"},
    "reasoning": {"summary": [], "encrypted_content": None},
    "function_call": {"arguments": "", "status": "in_progress"},
}


def _runs(steps: Sequence[Step]) -> Iterator[tuple[int, str, list[Step]]]:
    """The items, each with its place and kind: a run of texts, a run of thoughts, a call."""

    def kind_of(pair: tuple[int, Step]) -> tuple[str, int]:
        place, step = pair
        match step:
            case Text():
                return "message", 0
            case Thought():
                return "reasoning", 0
            case ToolCall():
                return "function_call", place

    for number, ((kind, _), run) in enumerate(groupby(enumerate(steps), kind_of)):
        yield number, kind, [step for _, step in run]


def _item(number: int, kind: str, steps: Sequence[Step], reply: Reply) -> Json:
    said = "".join(piece for piece, _ in _pieces(steps))
    name = f"{reply.seq:06d}_{number}"
    match kind:
        case "message":
            cited = [{"type": "url_citation", **source(place)} for place in range(reply.answer.sources)]
            content = {"type": "output_text", "text": said, "annotations": cited, "logprobs": []}
            spoken = {"id": f"msg_{name}", "type": kind, "role": "assistant", "status": "completed"}
            return {**spoken, "content": [content]}
        case "reasoning":
            summary = [{"type": "summary_text", "text": said}]
            return {"id": f"rs_{name}", "type": kind, "summary": summary, "encrypted_content": SEAL}
        case _:
            call = next(step for step in steps if isinstance(step, ToolCall))
            told = {"id": f"fc_{name}", "type": kind, "status": "completed", "call_id": call.id}
            return {**told, "name": call.name, "arguments": said}


def _pieces(steps: Sequence[Step]) -> list[tuple[str, int]]:
    """The pieces that a stream sends, each with its tokens."""
    pieces: list[tuple[str, int]] = []
    for step in steps:
        if isinstance(step, ToolCall):
            at_once = [("".join(step.pieces), len(step.pieces))]
            pieces += at_once if step.parts == "at_once" else [(piece, 1) for piece in step.pieces]
        else:
            pieces.append((step.text, 1))
    return pieces


def _response(reply: Reply, items: list[Json], *, is_over: bool) -> Json:
    is_cut = reply.answer.finish == "length"
    ended = "incomplete" if is_cut else "completed"
    return {
        "id": f"resp_{reply.seq:08d}",
        "object": "response",
        "created_at": CREATED,
        "status": ended if is_over else "in_progress",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_over and is_cut else None,
        "model": reply.chat.model,
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(reply.usage) if is_over and reply.usage is not None else None,
    }


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.shown(usage.input),
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.shown(usage.output),
        "output_tokens_details": {"reasoning_tokens": usage.thoughts},
        "total_tokens": usage.shown(usage.input + usage.output),
    }


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(part["text"]) for part in objects(content) if "text" in part]
