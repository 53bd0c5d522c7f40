"""Embeddings on both wire formats: vectors that depend on their input alone, flawed as the script says."""

import json
import math
import struct
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any, Literal

from tests.support.upstream.chat import BadRequest, Chat, Json
from tests.support.upstream.scripts import SCRIPTS, Script
from tests.support.upstream.wire import Frame, Reply, Usage, Wire, encoded

PATHS = ("/api/embed", "/embeddings")
"""How the paths end that make embeddings; Ollama's older one is `/api/embeddings`."""

NOT_NUMBERS: Mapping[str, str] = {
    "nan": "NaN",
    "null": "null",
    "words": '"many"',
    "infinite": "1e999",
    "huge": "1e39",
    "list": "[0.5]",
}
"""Flaws of one number: what stands in the place of the first."""

FLAWS = ("", *NOT_NUMBERS, "fewer", "more", "ragged", "empty", "doubled")

type Input = str | Sequence[int]


def vector_of(given: Input, dims: int = 8, length: float = 1.0) -> list[float]:
    """The vector of an input: 32-bit floats of this length, the same wherever it is asked for."""
    dice = Random(int.from_bytes(sha256(json.dumps(given).encode()).digest()))
    return scaled([dice.random() - 0.5 for _ in range(dims)], length)


def scaled(numbers: Sequence[float], length: float = 1.0) -> list[float]:
    """The same direction with another length, in 32-bit floats."""
    factor = length / math.hypot(*numbers)
    return list(struct.unpack(f"<{len(numbers)}f", _packed([number * factor for number in numbers])))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An embeddings request, whichever endpoint it came to."""

    endpoint: Literal["openai", "embed", "legacy"]
    model: str
    inputs: tuple[Input, ...]
    dimensions: int | None
    base64: bool

    @property
    def prompt_tokens(self) -> int:
        """Of texts the UTF-8 bytes divided by 4, rounded up; of token ids their number."""
        texts = [given for given in self.inputs if isinstance(given, str)]
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        return -(-size // 4) + sum(len(given) for given in self.inputs if not isinstance(given, str))

    @property
    def chat(self) -> Chat:
        """The request as the faults know requests: one that is not streamed."""
        return Chat(
            model=self.model,
            stream=False,
            texts=(),
            last_user_text="",
            ends_with_tool_result=False,
            images=(),
            tools=(),
            schema=None,
            may_think=False,
            max_tokens=None,
            include_usage=True,
        )


def asked(path: str, body: Json) -> Asked:
    """Read a request, or raise BadRequest as a real server would."""
    is_openai = "/api/" not in path
    is_legacy = path.endswith("/api/embeddings")
    inputs = _inputs(body.get("prompt" if is_legacy else "input"), tokens=is_openai)
    if is_openai and not inputs:
        raise BadRequest("invalid input")
    return Asked(
        endpoint="openai" if is_openai else "legacy" if is_legacy else "embed",
        model=str(body.get("model") or ""),
        inputs=inputs,
        dimensions=body.get("dimensions") or body.get("output_dimension"),
        base64=body.get("encoding_format") == "base64",
    )


def _inputs(given: Any, *, tokens: bool) -> tuple[Input, ...]:
    items = given if isinstance(given, list) else [] if given in (None, "") else [given]
    if tokens and items and all(isinstance(item, int) for item in items):
        return (items,)
    if any(not isinstance(item, str) and not (tokens and isinstance(item, list)) for item in items):
        raise BadRequest("invalid input type")
    return tuple(items)


class EmbeddingWire:
    """One request's answer in the form of its endpoint, so that the faults of chat can be done to it."""

    def __init__(self, base: Wire, script: Script, request: Asked) -> None:
        self.stream_type = base.stream_type
        self.ping = base.ping
        self._base = base
        self._params = {**SCRIPTS["embed"], **script.params}
        self._request = request
        if self._params["flaw"] not in FLAWS:
            raise BadRequest(f"there is no flaw '{self._params['flaw']}'")
        if request.dimensions and self._params["dimensions"] == "refused":
            raise BadRequest("this model does not support specifying dimensions")

    def chat(self, body: Json) -> Chat:
        return self._request.chat

    def whole(self, reply: Reply) -> bytes:
        vectors = [self._text_of(number, given) for number, given in enumerate(self._request.inputs)]
        if self._params["flaw"] == "fewer":
            vectors.pop()
        elif self._params["flaw"] == "more":
            vectors.append(vectors[-1])
        match self._request.endpoint:
            case "openai":
                return self._openai(vectors, reply.usage)
            case "embed":
                return self._embed(vectors, reply.usage)
            case "legacy":
                return b'{"embedding":%b}' % (vectors[0] if vectors else "[]").encode()

    def frames(self, reply: Reply) -> Iterator[Frame]:
        raise BadRequest("embeddings are not streamed")

    def error(self, status: int, message: str, code: str) -> bytes:
        return self._base.error(status, message, code)

    def stream_error(self, message: str, code: str) -> bytes:
        return self._base.stream_error(message, code)

    def _text_of(self, number: int, given: Input) -> str:
        """The JSON of one vector."""
        dims, length = int(self._params["dims"]), float(self._params["length"])
        numbers = vector_of(given, dims, length)
        wanted = self._request.dimensions if self._params["dimensions"] == "honoured" else None
        if wanted and wanted < dims:
            numbers = scaled(numbers[:wanted], length)
        flaw = str(self._params["flaw"])
        if flaw == "empty":
            numbers = []
        elif flaw == "ragged" and number:
            numbers = numbers[:-1]
        if self._is_base64:
            return f'"{b64encode(_packed(numbers)).decode()}"'
        texts = [repr(each) for each in numbers]
        if flaw in NOT_NUMBERS:
            texts[0] = NOT_NUMBERS[flaw]
        return f"[{','.join(texts)}]"

    @property
    def _is_base64(self) -> bool:
        return {"asked": self._request.base64, "float": False, "base64": True}[str(self._params["form"])]

    def _openai(self, vectors: list[str], usage: Usage | None) -> bytes:
        indexes = [0] * len(vectors) if self._params["flaw"] == "doubled" else list(range(len(vectors)))
        data = [
            f'{{"object":"embedding","index":{index},"embedding":{vector}}}'
            for index, vector in zip(indexes, vectors, strict=True)
        ]
        if self._params["shuffled"]:
            data.reverse()
        rest: Json = {"model": self._request.model}
        if usage is not None:
            counted = usage.shown(usage.input)
            rest["usage"] = {"prompt_tokens": counted, "total_tokens": counted}
        return b'{"object":"list","data":[%b],%b' % (",".join(data).encode(), encoded(rest)[1:])

    def _embed(self, vectors: list[str], usage: Usage | None) -> bytes:
        rest: Json = {"total_duration": 300_000_000, "load_duration": 1000}
        if usage is not None and usage.input:
            rest["prompt_eval_count"] = usage.shown(usage.input)
        model = encoded({"model": self._request.model})[:-1]
        return b'%b,"embeddings":[%b],%b' % (model, ",".join(vectors).encode(), encoded(rest)[1:])


def _packed(numbers: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)
