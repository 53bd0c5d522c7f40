"""What the replays of applications' requests share: an exact request, and what the relay has to offer."""

import json
from collections.abc import Mapping

from tests.conformance.wire import Answer, Api
from tests.support.upstream import DEFAULT_MODELS

JSON = {"Content-Type": "application/json"}
OLLAMA_JS = {"User-Agent": "ollama-js/0.6.4 (x64 linux) Node.js/v22.21.1", "Accept": "application/json"}

HI = [{"role": "user", "content": "hi"}]
NUMBERED = "000 001 002 003 "
LISTED = {f"{provider}/{model}:latest" for provider in ("up", "oll") for model in DEFAULT_MODELS}


def posted(api: Api, path: str, body: object, headers: Mapping[str, str]) -> Answer:
    """A POST with these headers and no other but those that frame it."""
    return api.send("POST", path, json.dumps(body).encode(), headers)
