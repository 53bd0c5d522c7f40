"""JSON that is nested deeply, anywhere in a body, is a declared failure or carried as it is, never a crash."""

from contextlib import suppress

import pytest

from relay.adapters.dialects.base import ProviderFault
from relay.domain.errors import ClientError, UpstreamError
from tests.support.laws.language import Language, a_scene, failure_of
from tests.support.laws.languages import LANGUAGES

DEPTHS = (pytest.param(400, marks=pytest.mark.slow), pytest.param(700, marks=pytest.mark.slow), 950, 20_000)
"""Below, about and beyond what Python's own recursion and msgspec's take."""

NESTS = (("[", "]"), ('{"a":', "}"), ('{"error":', "}"), ('{"message":', "}"), ('{"detail":[', "]}"))

BODIES = (
    "{}",
    '{"model":"m","messages":[{"role":"user","content":{}}]}',
    '{"model":"m","messages":[],"unknown":{}}',
    '\ufeff{"model":"m","messages":[],"unknown":{}}',
    '{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"n","parameters":{}}}]}',
    '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"x","function":{"name":"a","arguments":{}}}]}]}',
    '{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}}',
    '{"model":"m","messages":[],"options":{"stop":{}},"format":{}}',
    '{"choices":[{"index":0,"delta":{"content":"x","unknown":{}},"finish_reason":"stop"}]}',
    '{"choices":[{"index":0,"message":{"content":{}},"finish_reason":"stop"}]}',
    '{"choices":[{"index":0,"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]},"finish_reason":"stop"}]}',
    '{"message":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":true}',
    '{"model":"m","prompt":"x","context":{},"suffix":{},"stream":false}',
    '{"model":"m","response":"x","tool_calls":[{"function":{"name":"f","arguments":{}}}],"context":{},"done":true}',
    '{"error":{"message":{}}}',
    '{"error":{}}',
    '{"usage":{}}',
)


def bodies(depth: int) -> list[bytes]:
    nested = [opening * depth + "1" + closing * depth for opening, closing in NESTS]
    return [body.replace("{}", nest, 1).encode() for body in BODIES for nest in nested]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_deep_request_is_refused_or_carried(language: Language, depth: int) -> None:
    for body in bodies(depth):
        with suppress(ClientError):
            language.dialect.peek(body)
        with suppress(ClientError):
            language.dialect.retarget(body, "m", count_usage=True)
        with suppress(ClientError):
            request = language.dialect.decode_request(body)
            for provider in LANGUAGES:
                provider.dialect.encode_request(request)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_deep_answer_is_refused_or_carried(language: Language, depth: int) -> None:
    for body in bodies(depth):
        assert isinstance(language.dialect.decode_error(body), ProviderFault)
        with suppress(UpstreamError):
            language.dialect.rename_response(body, "m")
        with suppress(UpstreamError):
            response = language.dialect.decode_response(body)
            for client in LANGUAGES:
                client.dialect.encode_response(response, a_scene())


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_deep_stream_fails_or_is_carried(language: Language, depth: int) -> None:
    head, tail = (b"data: ", b"\n\n") if language.dialect.framing == "sse" else (b"", b"\n")
    for body in bodies(depth):
        for stream in (head + body + tail, body):
            events = language.read([stream])
            failure = failure_of(events)
            assert failure is None or isinstance(failure, UpstreamError)
            language.tapped([stream], a_scene())
            for client in LANGUAGES:
                client.written(events, a_scene())
