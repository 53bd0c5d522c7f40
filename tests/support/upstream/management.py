"""Ollama's routes that change models: a list that grows and shrinks, and progress that ends as the name says.

`missing` is not in the registry, `denied` may not be pushed, `stalls` says nothing after its first line, `cut` ends
without an end and `garbage` in something that is no JSON; every other name succeeds.
"""

from typing import Any

from tests.support.upstream.exchange import respond, send_head
from tests.support.upstream.http1 import Peer, chunk_bytes
from tests.support.upstream.ledger import Call
from tests.support.upstream.wire import encoded

NDJSON = "application/x-ndjson"
PATHS = ("/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete")
TEXT_OF_REGISTRY = "pull model manifest: file does not exist"
DENIED = "you are not authorized to push to this namespace, create the model under a namespace you own"


class ManagedModels:
    """The models of an upstream, by the names it was given, without `:latest`."""

    def __init__(self, models: tuple[str, ...], hold_s: float) -> None:
        self.names = models
        self._hold_s = hold_s

    async def answer(self, peer: Peer, call: Call, path: str, body: dict[str, Any]) -> None:
        """Change a model and tell of it."""
        name = call.model = str(body.get("model") or body.get("source") or "").removesuffix(":latest")
        match path:
            case "/api/copy" | "/api/delete" if name not in self.names:
                told = f'model "{name}" not found' if path == "/api/copy" else f"model '{name}' not found"
                await respond(peer, call, 404, encoded({"error": told}))
                return
            case "/api/copy":
                self._add(str(body["destination"]))
                await respond(peer, call, 200, b"")
            case "/api/delete":
                self.names = tuple(other for other in self.names if other != name)
                await respond(peer, call, 200, b"")
            case _ if name == "broken":
                await respond(peer, call, 500, encoded({"error": "no space left on device"}))
                return
            case _:
                await self._progress(peer, call, path, name)
        call.completed = True

    async def _progress(self, peer: Peer, call: Call, path: str, name: str) -> None:
        call.stream = True
        await send_head(peer, call, 200, [("content-type", NDJSON), ("transfer-encoding", "chunked")])
        await _say(peer, {"status": "pulling manifest"})
        if name == "stalls":
            await peer.pause(self._hold_s)
        elif name == "missing":
            await _say(peer, {"error": TEXT_OF_REGISTRY})
        elif name == "denied":
            await _say(peer, {"error": DENIED})
        elif name == "garbage":
            await peer.send(chunk_bytes(b"<html>\n"))
        elif name != "cut":
            half = encoded({"status": "pulling 0a0a0a0a0a0a", "total": 2, "completed": 1}) + b"\n"
            await peer.send(chunk_bytes(half[:9]))
            await peer.send(chunk_bytes(half[9:]))
            if path != "/api/push":
                self._add(name)
            await _say(peer, {"status": "success"})
        await peer.send(chunk_bytes(b""))

    def _add(self, name: str) -> None:
        self.names = tuple(dict.fromkeys((*self.names, name.removesuffix(":latest"))))


async def _say(peer: Peer, line: dict[str, Any]) -> None:
    await peer.send(chunk_bytes(encoded(line) + b"\n"))
