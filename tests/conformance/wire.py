"""A small HTTP client for the conformance tests: raw bytes out, raw bytes and arrival times in."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Answer:
    """An answer as it came. `pieces` are the chunks of the body with the seconds from the request to each."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    pieces: tuple[tuple[float, bytes], ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The objects of an NDJSON body; every line must end in one LF, and none may be empty."""
        assert self.body.endswith(b"\n")
        return [json.loads(line) for line in self.body[:-1].split(b"\n")]

    @property
    def events(self) -> list[str]:
        """The `data` of each SSE event; every event must be one data line and one empty line."""
        assert self.body.endswith(b"\n\n")
        events = self.body[:-2].decode().split("\n\n")
        shown = [event for event in events if not event.startswith(":")]
        assert all(event.startswith("data: ") and "\n" not in event for event in shown)
        return [event.removeprefix("data: ") for event in shown]

    @property
    def failed_chunks(self) -> list[Any]:
        """The objects of an OpenAI stream that failed: the last one tells, and there is no `[DONE]`."""
        chunks = [json.loads(event) for event in self.events]
        assert set(chunks[-1]) == {"error"}
        return chunks

    @property
    def chunks(self) -> list[Any]:
        """The objects of an OpenAI stream, which must end with `[DONE]`."""
        *events, done = self.events
        assert done == "[DONE]"
        return [json.loads(event) for event in events]


@dataclass(frozen=True)
class Api:
    """One server."""

    port: int
    host: str = "127.0.0.1"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What a client is given, without `/v1`."""
        return f"http://{self.host}:{self.port}"

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            began = time.monotonic()
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            pieces: list[tuple[float, bytes]] = []
            while piece := response.read1(65536):
                pieces.append((time.monotonic() - began, piece))
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, b"".join(piece for _, piece in pieces), tuple(pieces))
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=_dashed(headers))

    def post(self, path: str, value: object, **headers: str) -> Answer:
        """A JSON body."""
        sent = {"content-type": "application/json", **_dashed(headers)}
        return self.send("POST", path, json.dumps(value).encode(), sent)


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
