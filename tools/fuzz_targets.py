"""Every decoder there is, and the bodies to put it to: fixtures, what the codecs write, and recordings."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - from a seed, to be repeated

from relay.adapters.dialects.base import ClientDialect, Dialect, Scene
from relay.adapters.dialects.embeddings import EMBEDDING_DIALECTS, EmbeddingDialect
from relay.adapters.dialects.multipart import boundary_of, find_model, with_model
from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from relay.adapters.dialects.services import StreamedUsage, read_request, renamed, usage_of
from relay.domain.chat import (
    ChatRequest,
    Completion,
    Image,
    JsonSchema,
    Message,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.embeddings import EmbedRequest
from relay.domain.errors import ClientError, RelayError, UpstreamError
from tools.breaking import MAX_BYTES, pieces

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "contract" / "fixtures" / "dialects"

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


_CHAT = ChatRequest(
    model="m",
    messages=(
        Message(role="system", parts=(Text(text="be brief"),)),
        Message(role="user", parts=(Text(text="grüße\u2028"), Image(data=_PIXEL, media_type="image/png"))),
        Message(
            role="assistant",
            parts=(
                Thinking(text="hm"),
                Text(text="ok"),
                ToolCall(id="call_1", name="f", arguments='{"n":1.0}'),
            ),
        ),
        Message(role="tool", parts=(ToolResult(call_id="call_1", name="f", parts=(Text(text="4"),)),)),
        Message(role="user", parts=(Text(text="so?"),)),
    ),
    tools=(ToolSpec(name="f", description="adds", parameters='{"type":"object","properties":{}}'),),
    tool_choice="auto",
    sampling=Sampling(temperature=0.5, top_p=0.9, stop=("END",), max_output_tokens=64),
    output=JsonSchema(schema='{"type":"object"}', name="answer"),
    reasoning=Reasoning(effort="low"),
    stream=True,
)
_PROMPT = ChatRequest(
    model="m", messages=(Message(role="user", parts=(Text(text="once"),)),), completion=Completion()
)
_FILLED = ChatRequest(
    model="m",
    messages=(Message(role="user", parts=(Text(text="def f("),)),),
    completion=Completion(suffix="pass"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A decoder, the bodies it is put to, and the error it may raise."""

    name: str
    bodies: Sequence[bytes]
    read: Callable[[bytes, Random], object]
    declared: type[RelayError]


def targets() -> tuple[Target, ...]:
    """Every decoder there is."""
    found: list[Target] = []
    for dialect in CLIENT_DIALECTS.values():
        found += _of_clients(dialect)
    for provider in DIALECTS.values():
        found += _of_providers(provider)
    for name, embedding in EMBEDDING_DIALECTS.items():
        found += _of_embeddings(name, embedding)
    return (*found, *_of_services())


def _of_clients(dialect: ClientDialect) -> Iterator[Target]:
    bodies = list(_requests(dialect))
    yield Target(f"{dialect.name} peek", bodies, lambda body, _: dialect.peek(body), ClientError)
    yield Target(f"{dialect.name} request", bodies, lambda body, _: dialect.decode_request(body), ClientError)


def _of_providers(dialect: Dialect) -> Iterator[Target]:
    name = dialect.name
    requests = list(_requests(dialect))
    streams = [*_fixtures(name, "stream.bin")] or [b"data: {}\n\n"]
    answers = [*_fixtures(name, "response.json")] or [b"{}"]
    either = [*streams, *answers]

    def retarget(body: bytes, chance: Random) -> None:
        dialect.retarget(body, "m", count_usage=chance.random() < 0.5)

    def stream(body: bytes, chance: Random) -> None:
        decoder = dialect.decoder()
        for piece in pieces(body, chance):
            decoder.feed(piece)
        decoder.close()

    def tap(body: bytes, chance: Random) -> None:
        tap = dialect.tap(_scene())
        for piece in pieces(body, chance):
            tap.feed(piece)
        tap.close()

    yield Target(f"{name} retarget", requests, retarget, ClientError)
    yield Target(f"{name} answer", either, lambda body, _: dialect.decode_response(body), UpstreamError)
    yield Target(f"{name} glance", either, lambda body, _: dialect.glance(body), UpstreamError)
    yield Target(f"{name} rename", answers, lambda body, _: dialect.rename_response(body, "m"), UpstreamError)
    yield Target(f"{name} error", either, lambda body, _: dialect.decode_error(body), UpstreamError)
    yield Target(f"{name} stream", either, stream, UpstreamError)
    yield Target(f"{name} tap", either, tap, UpstreamError)


def _of_embeddings(name: str, dialect: EmbeddingDialect) -> Iterator[Target]:
    asked = EmbedRequest(model="m", texts=("a",))
    request = dialect.encode_request(asked).body
    answers = [
        b'{"object":"list","model":"m","data":[{"index":0,"embedding":[0.5,1e-3]}],"usage":{"prompt_tokens":1}}',
        b'{"data":[{"index":0,"embedding":"AAAAPwAAgD8="}]}',
        b'{"embeddings":[[0.5,-1]],"prompt_eval_count":2}',
        b'{"embedding":[0.5]}',
    ]
    yield Target(f"{name} request", [request], lambda body, _: dialect.decode_request(body), ClientError)
    yield Target(
        f"{name} answer", answers, lambda body, _: dialect.decode_response(body, asked), UpstreamError
    )


def _of_services() -> Iterator[Target]:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\x00\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
    )
    answer = (
        b'{"created":1,"model":"m","data":[{"b64_json":"eA=="}],"duration":"1.5","meta":{"billed_units":{"search_units":1}},'
        b'"usage":{"input_tokens":1,"input_token_details":{"audio_tokens":1},"output_tokens":2,"seconds":3.5}}'
    )

    def read_form(body: bytes, chance: Random) -> None:
        with_model(body, find_model(body, boundary_of("multipart/form-data; boundary=b")), "m")

    def count_stream(body: bytes, chance: Random) -> None:
        usage = StreamedUsage()
        for piece in pieces(b"data: " + body + b"\n\n", chance):
            usage.see(piece)

    yield Target("services form", [form], read_form, ClientError)
    yield Target(
        "services request",
        [b'{"model":"m","input":"x","prompt":"y"}'],
        lambda body, _: read_request("speech", body, "application/json").aimed("m"),
        ClientError,
    )
    yield Target(
        "services answer", [answer], lambda body, _: (usage_of(body), renamed(body, "m")), UpstreamError
    )
    yield Target("services stream", [answer], count_stream, UpstreamError)


def _requests(dialect: ClientDialect) -> Iterator[bytes]:
    """Bodies of the dialect, from codecs that write it and from the recordings."""
    if dialect.name in DIALECTS:
        for request in (_CHAT, _PROMPT, _FILLED):
            try:
                yield DIALECTS[dialect.name].encode_request(request).body
            except ClientError:
                continue
    yield b'{"model":"m","prompt":"x","messages":[{"role":"user","content":"x"}],"stream":true,"max_tokens":5}'
    yield from _recorded(dialect.name, lambda told: json.dumps(told["request"]["body"]).encode())


def _fixtures(name: str, file: str) -> Iterator[bytes]:
    for path in sorted((FIXTURES / name).glob(f"*/{file}")):
        yield path.read_bytes()
    is_stream = file == "stream.bin"
    yield from _recorded(
        name,
        lambda told: (
            told["response"]["body"].encode()
            if (told["response"]["body_kind"] != "json") == is_stream
            else b""
        ),
    )


_ENDPOINTS = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "messages": "anthropic.messages",
    "generateContent": "gemini.generate",
    "streamGenerateContent": "gemini.generate",
    "api-chat": "ollama.chat",
    "api-generate": "ollama.generate",
}


def _recorded(name: str, part: Callable[[dict[str, dict[str, str]]], bytes]) -> Iterator[bytes]:
    folder = os.environ.get("RELAY_RECORDINGS")
    for path in sorted(Path(folder).glob("*/*.json")) if folder else ():
        told = json.loads(path.read_text())
        spoken = "cohere.v2" if told["provider"] == "cohere" else _ENDPOINTS.get(told["endpoint"])
        if spoken == name and (body := part(told)):
            yield body[:MAX_BYTES]


def _scene() -> Scene:
    return Scene(id="chatcmpl-1", model="m", created=1, started_ns=1, clock_ns=lambda: 2, include_usage=True)
