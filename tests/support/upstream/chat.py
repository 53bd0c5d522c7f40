"""A chat request in the terms the scripts need, whichever wire format it came in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

type Json = dict[str, Any]

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


class BadRequest(ValueError):
    """The request body is not a chat request."""


@dataclass(frozen=True)
class Image:
    """An image as received; for one given as an address, `data` is the address."""

    media_type: str
    data: bytes

    @property
    def description(self) -> str:
        return f"{self.media_type} {len(self.data)} bytes sha256={sha256(self.data).hexdigest()}"


@dataclass(frozen=True)
class Tool:
    """A declared tool."""

    name: str
    parameters: Json


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One request for an answer. `suffix` and `memory`, the tokens of what was said before, are generate's.

    `tool_text` is what the tools said, where the wire tells it apart from the text of a message.
    """

    model: str
    stream: bool
    texts: tuple[str, ...]
    last_user_text: str
    ends_with_tool_result: bool
    images: tuple[Image, ...]
    tools: tuple[Tool, ...]
    schema: Json | None
    may_think: bool
    max_tokens: int | None
    include_usage: bool
    choices: int = 1
    suffix: str = ""
    memory: tuple[int, ...] | None = None
    tool_text: str = ""

    @property
    def prompt_tokens(self) -> int:
        """The UTF-8 bytes of the text of all messages, divided by 4, rounded up, at least 1; nothing else."""
        return max(1, -(-sum(len(text.encode("utf-8", "replace")) for text in self.texts) // 4))


def media_type_of(data: bytes) -> str:
    """What the first bytes of an image say it is."""
    return next((kind for start, kind in SIGNATURES if data.startswith(start)), "application/octet-stream")


def objects(value: object) -> list[Json]:
    """The objects in what should be a list of objects; null and absent are an empty list."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRequest("a list of objects was expected")
    return value


def tools_in(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Both wire formats declare tools alike."""
    declared = [tool.get("function") or {} for tool in objects(body.get("tools"))]
    return tuple(Tool(str(tool.get("name")), tool.get("parameters") or {}) for tool in declared)


def last_of_user(roles_and_texts: Iterable[tuple[str, str]]) -> str:
    """The text of the last message a user wrote."""
    texts = [text for role, text in roles_and_texts if role == "user"]
    return texts[-1] if texts else ""


def fitting(schema: Mapping[str, Any]) -> Any:
    """A value that fits a JSON schema: of an object its required properties, or else its first one."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("anyOf"):
        return fitting(schema["anyOf"][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or list(properties)[:1]
        return {name: fitting(properties.get(name, {})) for name in wanted}
    if kind == "array":
        return [fitting(schema.get("items") or {})]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(kind, "abc")
