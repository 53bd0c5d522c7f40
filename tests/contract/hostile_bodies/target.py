"""What the hostile bodies are thrown at: a whole listener whose providers are real backends over a fake wire."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.build import build_backends
from relay.adapters.outbound.providers.spec import configured
from relay.domain.catalog import Catalog, ModelEntry, ProviderEntry
from tests.support.fakes_chat import TickingClock
from tests.support.fakes_http import RecordingHttp, ScriptedResponse, whole
from tests.unit.inbound_http.listener import Listener, listening

OPENAI_URL, OLLAMA_URL = "http://10.0.0.1/v1", "http://10.0.0.2"
MODEL, OTHER = "m", "other"
PROVIDERS = ("oai", "oll", "alike")
"""OpenAI and Ollama, to which their own clients' bodies pass, and one of OpenAI's dialect, to which none does."""

SAY_HI = [{"role": "user", "content": "hi"}]

type Members = Mapping[str, Any]


@dataclass(frozen=True)
class Route:
    """A route that takes a body, a decent body for it, and the member of that body that holds the text."""

    path: str
    members: Members
    text: str

    @property
    def is_openai(self) -> bool:
        return self.path.startswith("/v1")

    def body(self, provider: str) -> dict[str, Any]:
        return {"model": f"{provider}/{MODEL}", **self.members}

    def __str__(self) -> str:
        return self.path


ROUTES: Sequence[Route] = (
    Route("/v1/chat/completions", {"messages": SAY_HI, "stream": False}, "messages"),
    Route("/v1/responses", {"input": SAY_HI, "stream": False}, "input"),
    Route("/api/chat", {"messages": SAY_HI, "stream": False}, "messages"),
    Route("/v1/completions", {"prompt": "hi", "stream": False}, "prompt"),
    Route("/api/generate", {"prompt": "hi", "stream": False}, "prompt"),
    Route("/v1/embeddings", {"input": "hi"}, "input"),
    Route("/api/embed", {"input": "hi"}, "input"),
    Route("/api/embeddings", {"prompt": "hi"}, "prompt"),
)


@dataclass
class Target:
    """The listener, and what left it for a provider."""

    listener: Listener
    http: RecordingHttp

    def forwarded(self) -> list[HttpRequest]:
        """What was sent since the last time."""
        sent, self.http.requests = self.http.requests, []
        return sent


def target(*, mode: Any = "open") -> Target:
    http = RecordingHttp(_answer)
    specs = [
        configured("oai", {"kind": "openai", "base_url": OPENAI_URL, "api_key": "sk-hostile"}, {}),
        configured("oll", {"kind": "ollama", "base_url": OLLAMA_URL}, {}),
        configured("alike", {"kind": "openai-compatible", "base_url": OPENAI_URL}, {}),
    ]
    backends = build_backends(specs, http=http, dialects=DIALECTS, clock=TickingClock(), environ={})
    models = (ModelEntry(id=MODEL), ModelEntry(id=OTHER))
    catalog = Catalog(
        providers=tuple(ProviderEntry(name=spec.name, kind=spec.kind, models=models) for spec in specs)
    )
    listener = listening(
        others=backends.by_name, embedders=backends.embedding_by_name, catalog=catalog, mode=mode
    )
    return Target(listener, http)


_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
_SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
_COUNTS = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
_CHUNK = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
_DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1}

_ANSWERS: Mapping[str, object] = {
    "/chat/completions": {"choices": [_CHOICE], "usage": _USAGE},
    "/responses": {"id": "resp_1", "status": "completed", "output": [_SAID], "usage": _COUNTS},
    "/api/chat": {"message": {"role": "assistant", "content": "hi"}, **_DONE},
    "/api/generate": {"response": "hi", **_DONE},
    "/api/embeddings": {"embedding": [0.5]},
}


class _Asked(msgspec.Struct):
    """As much of a body as its answer depends on: the fake must not cost what the relay is measured by."""

    stream: object = None
    input: msgspec.Raw = msgspec.Raw(b"")


_asked = msgspec.json.Decoder(_Asked)


def _answer(request: HttpRequest) -> ScriptedResponse:
    path = request.url.removeprefix(OPENAI_URL).removeprefix(OLLAMA_URL)
    asked = _asked.decode(request.body)
    texts = bytes(asked.input)
    is_list = texts.startswith(b'["') and not path.endswith("/responses")
    count = len(msgspec.json.decode(texts, type=list[str])) if is_list else 1
    match path:
        case "/chat/completions" if asked.stream is True:
            return _events({"choices": [_CHUNK]}, {"choices": [], "usage": _USAGE})
        case "/embeddings":
            data = [{"index": index, "embedding": [0.5]} for index in range(count)]
            return whole({"data": data, "usage": _USAGE})
        case "/api/embed":
            return whole({"embeddings": [[0.5]] * count, "prompt_eval_count": 1})
        case _:
            return whole(_ANSWERS[path])


def _events(*chunks: object) -> ScriptedResponse:
    events = [b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks]
    return ScriptedResponse((*events, b"data: [DONE]\n\n"))
