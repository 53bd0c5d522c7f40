"""Answers of real servers, replayed: the one way from a recording to what a decoder makes of it.

`RELAY_RECORDINGS` names the folder of the recordings: `<provider>/<category>--<source>-<test>.json`, each with its
`request` and its `response`. Without it every test that asks for some is skipped.
"""

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from relay.adapters.dialects.base import StreamDecoder
from relay.domain.events import ChatResponse, StreamEvent
from relay.domain.folding import unfold
from tests.support.laws.clients import WRITTEN_LAWS
from tests.support.laws.language import comparable
from tests.support.laws.languages import CLIENT_LANGUAGES
from tests.support.laws.streams import Answer

FOLDER = os.environ.get("RELAY_RECORDINGS")

needs_recordings = pytest.mark.skipif(not FOLDER, reason="RELAY_RECORDINGS is not set")

EVERYWHERE_BYTES = 8 * 1024
"""Up to here a body is split at every position."""

NEAR_BYTES = 8
RANDOM_POSITIONS = 1000
WINDOW_FRAMES = 50
WHOLE_BYTES = 64 * 1024
"""Up to here a body is read from its start for each position, beyond it from the frames before."""

type BodyKind = Literal["json", "sse", "ndjson", "json-array"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One request and its answer. `asked` is the request's body, `None` where the source kept none."""

    name: str
    provider: str
    endpoint: str
    tags: frozenset[str]
    url: str
    asked: Any
    status: int
    headers: dict[str, str]
    kind: BodyKind
    body: bytes

    @property
    def request(self) -> bytes:
        """The request's body, written anew."""
        return json.dumps(self.asked).encode()

    @property
    def value(self) -> Any:
        """The answer as one JSON value."""
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON values of a stream, in order and without the words that end it."""
        lines = (line.strip() for line in self.body.decode().splitlines())
        if self.kind == "sse":
            lines = (line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))
        return [json.loads(line) for line in lines if line.startswith("{")]


def recorded(
    *providers: str,
    endpoint: str | None = None,
    kind: BodyKind | None = None,
    failed: bool = False,
    tag: str | None = None,
) -> list[Any]:
    """Parameters for `parametrize`: the recordings of these providers that fit, by name.

    `failed` asks for those with an error status in place of those without.
    """
    return [
        pytest.param(recording, id=f"{recording.provider}/{recording.name}")
        for provider in providers
        for recording in _of(provider)
        if endpoint in (None, recording.endpoint)
        and kind in (None, recording.kind)
        and failed == (recording.status >= 400)
        and (tag is None or tag in recording.tags)
    ]


def check_splits(body: bytes, new_decoder: Callable[[], StreamDecoder]) -> list[StreamEvent]:
    """The events of a stream. Fails when they are others for a body that arrives in two pieces, cut anywhere.

    Beyond 8 KiB the cuts are those within 8 bytes of a frame's edge, and 1,000 random ones.
    """
    whole = list(_events(new_decoder(), [body]))
    expected = comparable(whole)
    if len(body) <= WHOLE_BYTES:
        for position in positions(body):
            events = _events(new_decoder(), [body[:position], body[position:]])
            assert comparable(events) == expected, f"cut at {position}"
    else:
        _check_windows(body, new_decoder())
        for position in random.Random(len(body)).sample(range(len(body)), 20):
            events = _events(new_decoder(), [body[:position], body[position:]])
            assert comparable(events) == expected, f"cut at {position}"
    return whole


def check_clients(answer: ChatResponse) -> None:
    """Put an answer to the vendors' own clients, streamed and whole, in every dialect that clients speak."""
    cut = Answer(answer, tuple(unfold(answer)), (7,))
    for language in CLIENT_LANGUAGES:
        for law in WRITTEN_LAWS:
            law.check(language, cut)


def positions(body: bytes) -> Sequence[int]:
    """Where a body is split."""
    if len(body) <= EVERYWHERE_BYTES:
        return range(len(body) + 1)
    near = {
        edge + offset
        for edge in _edges(body)
        for offset in range(-NEAR_BYTES, NEAR_BYTES + 1)
        if 0 <= edge + offset <= len(body)
    }
    return sorted(near | set(random.Random(len(body)).sample(range(len(body)), RANDOM_POSITIONS)))


def _events(decoder: StreamDecoder, chunks: Iterable[bytes]) -> Iterator[StreamEvent]:
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.close()


def _check_windows(body: bytes, decoder: StreamDecoder) -> None:
    """Every cut near an edge, each read on from a copy of what was read some frames before."""
    edges = [0, *_edges(body), len(body)]
    for start in range(0, len(edges) - 1, WINDOW_FRAMES):
        window = edges[start : start + WINDOW_FRAMES + 1]
        data = body[window[0] : window[-1]]
        whole = comparable(deepcopy(decoder).feed(data))
        for edge in window:
            for cut in range(max(edge - window[0] - NEAR_BYTES, 0), edge - window[0] + NEAR_BYTES + 1):
                copied = deepcopy(decoder)
                events = [*copied.feed(data[:cut]), *copied.feed(data[cut:])]
                assert comparable(events) == whole, f"cut at {window[0] + cut}"
        decoder.feed(data)


def _edges(body: bytes) -> list[int]:
    """Behind each blank line of an event stream, or each line of anything else."""
    mark = next((mark for mark in (b"\r\n\r\n", b"\n\n", b"\n") if mark in body), b"\n")
    found, start = list[int](), 0
    while (start := body.find(mark, start)) >= 0:
        start += len(mark)
        found.append(start)
    return found


@cache
def _of(provider: str) -> tuple[Recording, ...]:
    paths = sorted(Path(FOLDER, provider).glob("*.json")) if FOLDER else []
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Recording:
    told = json.loads(path.read_text())
    request, response = told["request"], told["response"]
    return Recording(
        name=path.stem,
        provider=told["provider"],
        endpoint=told["endpoint"],
        tags=frozenset(told["tags"]),
        url=request["url"],
        asked=request["body"],
        status=response["status"],
        headers=response["headers"],
        kind=response["body_kind"],
        body=response["body"].encode(),
    )
