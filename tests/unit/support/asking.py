"""Asks a scripted upstream in either wire format and takes the answer apart."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.raw_http import Ending, Head, RawConnection, connected
from tests.support.upstream import ScriptedUpstream

OPENAI = "/v1/chat/completions"
OLLAMA = "/api/chat"
BOTH = (OPENAI, OLLAMA)

PROMPT = "eight by"
"""Eight bytes of text, which is two prompt tokens."""

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@dataclass
class Got:
    """What came back; `events` are the decoded events or lines of a stream, or the one body."""

    head: Head
    body: bytes
    ending: Ending
    interim: list[int]
    events: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(_message(event).get("content") or "" for event in self.events)

    @property
    def last(self) -> Any:
        return self.events[-1]


def _message(event: Any) -> Any:
    if "message" in event:
        return event["message"]
    choices = event.get("choices")
    return (choices[0].get("delta") or choices[0].get("message")) or {} if choices else {}


def request_body(path: str, model: str, *, stream: bool = True, **fields: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": stream}
    if path == OPENAI and stream:
        body["stream_options"] = {"include_usage": True}
    return body | fields


async def ask(up: ScriptedUpstream, path: str, model: str, *, stream: bool = True, **fields: Any) -> Got:
    async with connected(up.base_url) as connection:
        return await ask_on(connection, path, model, stream=stream, **fields)


async def ask_on(
    connection: RawConnection, path: str, model: str, *, stream: bool = True, **fields: Any
) -> Got:
    await connection.send("POST", path, request_body(path, model, stream=stream, **fields))
    head = await connection.head()
    body = await connection.body()
    return Got(head, body, connection.ending, connection.interim, _events(body))


def _events(body: bytes) -> list[Any]:
    """The JSON values of the events or lines; what is not JSON is left out."""
    values = []
    for line in body.split(b"\n"):
        try:
            values.append(json.loads(line.removeprefix(b"data: ")))
        except ValueError:
            continue
    return [value for value in values if isinstance(value, dict)]
