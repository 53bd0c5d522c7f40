"""Names of tools that OpenAI's chat has no room for, in a spelling that it takes, and back again.

Its reference allows letters, digits, `_` and `-`, 64 at most; clients of other dialects, and those that bring tools
from elsewhere, know names such as `files.read` (https://platform.openai.com/docs/api-reference/chat/create).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from relay.domain.chat import ChatRequest, Message, NamedTool, Part, ToolCall, ToolResult
from relay.domain.events import PartStarted, StreamEvent

MAX_NAME_CHARACTERS = 64

_TAKEN = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME_CHARACTERS}}}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_CHARACTERS = 8
_KEPT_CHARACTERS = 50  # and room for the digest, and for a number where two digests are the same

_ODD_NAME = re.compile(rb'"name"\s*:\s*"(?:[A-Za-z0-9_-]{65}|[A-Za-z0-9_-]*[^A-Za-z0-9_"-])')


def may_be_odd(body: bytes) -> bool:
    """Whether a body of OpenAI's chat may hold such a name; most that may not are told so without being decoded."""
    return (b'"tools"' in body or b'"functions"' in body) and _ODD_NAME.search(body) is not None


class ToolNames:
    """The spellings of one call's tools. The same names get the same ones, turn after turn."""

    def __init__(self, request: ChatRequest) -> None:
        names = dict.fromkeys(name for name in _names_in(request) if name)
        odd = [name for name in names if not _TAKEN.fullmatch(name)]
        self._written: Mapping[str, str] = _spelled(odd, names.keys() - odd) if odd else {}
        self._read = {written: name for name, written in self._written.items()}

    def __bool__(self) -> bool:
        """Whether any name has to be spelled otherwise."""
        return bool(self._written)

    def written(self, request: ChatRequest) -> ChatRequest:
        """The request as the provider takes it."""
        choice = request.tool_choice
        return replace(
            request,
            tools=tuple(replace(tool, name=self._spell(tool.name)) for tool in request.tools),
            tool_choice=NamedTool(name=self._spell(choice.name)) if isinstance(choice, NamedTool) else choice,
            messages=tuple(self._message(message) for message in request.messages),
        )

    def correct(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """The events of the answer under the caller's names."""
        return [
            replace(event, name=self._read[event.name])
            if isinstance(event, PartStarted) and event.name in self._read
            else event
            for event in events
        ]

    def _message(self, message: Message) -> Message:
        return replace(message, parts=tuple(self._part(part) for part in message.parts))

    def _part(self, part: Part) -> Part:
        return replace(part, name=self._spell(part.name)) if isinstance(part, ToolCall | ToolResult) else part

    def _spell(self, name: str) -> str:
        return self._written.get(name, name)


def _names_in(request: ChatRequest) -> Iterator[str]:
    for tool in request.tools:
        yield tool.name
    if isinstance(request.tool_choice, NamedTool):
        yield request.tool_choice.name
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, ToolCall | ToolResult):
                yield part.name


def _spelled(odd: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    spellings: dict[str, str] = {}
    used = set(taken)
    for name in odd:
        digest = sha256(name.encode(errors="replace")).hexdigest()[:_DIGEST_CHARACTERS]
        wanted = written = f"{_OTHER.sub('_', name)[:_KEPT_CHARACTERS]}_{digest}"
        number = 1
        while written in used:
            number += 1
            written = f"{wanted}_{number}"
        used.add(written)
        spellings[name] = written
    return spellings
