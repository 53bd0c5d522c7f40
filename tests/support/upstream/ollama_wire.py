"""Ollama's native chat, model list and model card as a real Ollama speaks them."""

from base64 import b64decode
from collections.abc import Iterable, Iterator
from hashlib import sha256

from tests.support.upstream.answers import Step, Text, Thought, ToolCall
from tests.support.upstream.chat import (
    BadRequest,
    Chat,
    Image,
    Json,
    last_of_user,
    media_type_of,
    objects,
    tools_in,
)
from tests.support.upstream.scripts import Script
from tests.support.upstream.wire import Frame, Reply, encoded

VERSION = "0.32.15"
NEWEST = "2026-08-21T10:00:00Z"
CONTEXT_LENGTH = 32768


class OllamaWire:
    """One JSON object a line, streamed unless refused; counts on the last line, and left out when 0."""

    stream_type = "application/x-ndjson"
    # The format has no comments; readers skip blank lines.
    ping = b"\n"

    def chat(self, body: Json) -> Chat:
        messages = objects(body.get("messages"))
        spoken = [(str(message.get("role")), str(message.get("content") or "")) for message in messages]
        given = (body.get("options") or {}).get("num_predict")
        return Chat(
            model=str(body.get("model") or ""),
            stream=body.get("stream") is not False,
            texts=tuple(text for _, text in spoken),
            last_user_text=last_of_user(spoken),
            ends_with_tool_result=bool(spoken) and spoken[-1][0] == "tool",
            images=tuple(_image(data) for message in messages for data in message.get("images") or []),
            tools=tools_in(body),
            schema=_schema(body.get("format")),
            may_think=body.get("think") is not False,
            max_tokens=given if given and given > 0 else None,
            include_usage=True,
        )

    def whole(self, reply: Reply) -> bytes:
        answer = reply.answer
        message: Json = {"role": "assistant", "content": answer.text}
        if answer.thoughts:
            message["thinking"] = answer.thoughts
        if answer.calls:
            message["tool_calls"] = [_call(call, index) for index, call in enumerate(answer.calls)]
        line = _line(reply, message) | (_final(reply) if reply.finished else {})
        if answer.logprobs:
            line["logprobs"] = _logprobs(answer.steps)
        return encoded(line)

    def frames(self, reply: Reply) -> Iterator[Frame]:
        index = 0
        for step in reply.answer.steps:
            line = _line(reply, _delta(step, index))
            if isinstance(step, ToolCall):
                index += 1
            elif reply.answer.logprobs:
                line["logprobs"] = _logprobs([step])
            yield Frame(
                encoded(line) + b"\n", "content", len(step.pieces) if isinstance(step, ToolCall) else 1
            )
        if not reply.finished:
            return
        last = _line(reply, {"role": "assistant", "content": ""}) | _final(reply)
        yield Frame(encoded(last) + b"\n", "finish")

    def error(self, status: int, message: str, code: str) -> bytes:
        return encoded({"error": message})

    def stream_error(self, message: str, code: str) -> bytes:
        return encoded({"error": message}) + b"\n"


def tags(models: Iterable[str]) -> bytes:
    """The model list; every name in it carries a tag."""
    names = [model if ":" in model else f"{model}:latest" for model in models]
    return encoded({"models": [{"name": name, "model": name, **_entry(name)} for name in names]})


def card(model: str, script: Script) -> bytes:
    """The answer of /api/show."""
    info = {
        "general.architecture": "scripted",
        "general.basename": model,
        "general.parameter_count": 1_000_000,
        "scripted.context_length": CONTEXT_LENGTH,
        "scripted.embedding_length": 64,
    }
    entry = _entry(model)
    return encoded(
        {
            "template": "{{ .Prompt }}",
            "details": entry["details"],
            "model_info": info,
            "capabilities": list(script.capabilities),
            "modified_at": entry["modified_at"],
        }
    )


def _entry(name: str) -> Json:
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "scripted",
        "families": ["scripted"],
        "parameter_size": "1M",
        "quantization_level": "F16",
    }
    digest = sha256(name.encode()).hexdigest()
    return {"modified_at": NEWEST, "size": 1_000_000, "digest": digest, "details": details}


def _line(reply: Reply, message: Json) -> Json:
    return {"model": reply.chat.model, "created_at": NEWEST, "message": message, "done": False}


def _final(reply: Reply) -> Json:
    reason = "length" if reply.answer.finish == "length" else "stop"
    final: Json = {"done": True, "done_reason": reason, "total_duration": 300_000_000, "load_duration": 1000}
    if reply.usage is None:
        return final
    usage = reply.usage
    final |= {"prompt_eval_count": usage.shown(usage.input), "prompt_eval_duration": 100_000_000}
    if usage.output:
        final |= {"eval_count": usage.shown(usage.output), "eval_duration": 199_000_000}
    return final


def _delta(step: Step, index: int) -> Json:
    match step:
        case Text():
            return {"role": "assistant", "content": step.text}
        case Thought():
            return {"role": "assistant", "content": "", "thinking": step.text}
        case ToolCall():
            return {"role": "assistant", "content": "", "tool_calls": [_call(step, index)]}


def _call(call: ToolCall, index: int) -> Json:
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}


def _logprobs(steps: Iterable[Step]) -> list[Json]:
    texts = [step.text for step in steps if isinstance(step, Text)]
    drawn: Iterator[Json] = (
        {"token": text, "logprob": -0.25, "bytes": list(text.encode())} for text in texts
    )
    return [{**token, "top_logprobs": [token]} for token in drawn]


def _image(data: object) -> Image:
    try:
        decoded = b64decode(str(data), validate=True)
    except ValueError as error:
        raise BadRequest(f"an image is not base64: {error}") from None
    return Image(media_type_of(decoded), decoded)


def _schema(wanted: object) -> Json | None:
    if wanted == "json":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return wanted if isinstance(wanted, dict) else None
