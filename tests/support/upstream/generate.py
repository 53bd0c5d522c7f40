"""Ollama's generate as a real Ollama speaks it: prompts with a suffix, a system, a memory, or raw."""

import json
from collections.abc import Iterator
from dataclasses import replace

from tests.support.upstream.chat import BadRequest, Chat, Json
from tests.support.upstream.ollama_wire import OllamaWire
from tests.support.upstream.scripts import Script
from tests.support.upstream.wire import Frame, Reply, encoded

PATH = "/api/generate"


class GenerateWire(OllamaWire):
    """As chat, the message's members being the line's own; a memory on the last line, unless the prompt was raw."""

    def chat(self, body: Json) -> Chat:
        prompt, suffix = str(body.get("prompt") or ""), str(body.get("suffix") or "")
        told = [{"role": "system", "content": body.get("system")}, {"role": "user", "content": suffix}]
        asked = {"role": "user", "content": prompt, "images": body.get("images")}
        memory = None if body.get("raw") else tuple(body.get("context") or ())
        return replace(super().chat({**body, "messages": [*told, asked]}), suffix=suffix, memory=memory)

    def whole(self, reply: Reply) -> bytes:
        return encoded(_line(super().whole(reply), reply))

    def frames(self, reply: Reply) -> Iterator[Frame]:
        for frame in super().frames(reply):
            yield replace(frame, data=encoded(_line(frame.data, reply)) + b"\n")


def check(body: Json, script: Script) -> None:
    """Raise what a real Ollama refuses."""
    if body.get("raw") and (body.get("system") or body.get("template") or body.get("context")):
        raise BadRequest("raw mode does not support template, system, or context")
    if script.name == "embed":
        raise BadRequest(f'"{body["model"]}" does not support generate')
    if body.get("suffix") and "insert" not in script.capabilities:
        raise BadRequest(f"registry.ollama.ai/library/{body['model']}:latest does not support insert")


def _line(data: bytes, reply: Reply) -> Json:
    """A line of chat as one of generate. The memory grows by the prompt's and the answer's number of tokens."""
    line: Json = json.loads(data)
    message = line.pop("message")
    said = {"response": message["content"]}
    if message.get("thinking"):
        said["thinking"] = message["thinking"]
    if message.get("tool_calls"):
        line["tool_calls"] = message["tool_calls"]
    if line["done"] and reply.chat.memory is not None:
        line["context"] = [*reply.chat.memory, reply.chat.prompt_tokens, reply.answer.tokens]
    return {"model": line.pop("model"), "created_at": line.pop("created_at"), **said, **line}
