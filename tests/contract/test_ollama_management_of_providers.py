"""Who may change which provider's models through the listener, and under which names it is asked to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from relay.adapters.outbound.providers.build import BackendsByName
from relay.application.manage.models import Change, Progress, ProgressLine
from relay.domain.errors import Unreachable
from tests.support.asgi import Answer, call
from tests.support.builders import catalog, provider
from tests.unit.inbound_http.listener import Listener, listening

pytestmark = pytest.mark.anyio

CATALOG = catalog(provider("home", "basic"), provider("lab", "basic"), provider("up", "gpt"))
EMPTY = catalog(provider("home"))


@dataclass
class ToldProgress:
    """Lines as they are scripted."""

    lines: list[str]
    closed: int = 0

    async def read(self) -> ProgressLine | None:
        if not self.lines:
            return None
        line = self.lines.pop(0)
        return ProgressLine(
            raw=line.encode(), **{k: v for k, v in json.loads(line).items() if k in ("status", "error")}
        )

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class ToldManagement:
    """A provider that does what it is told, and remembers it."""

    lines: tuple[str, ...] = ('{"status":"success"}',)
    asked: list[tuple[Change, Mapping[str, object]]] = field(default_factory=list)
    begun: list[ToldProgress] = field(default_factory=list)

    async def begin(self, change: Change, fields: Mapping[str, object], request_id: str) -> Progress:
        self.asked.append((change, fields))
        if not self.lines:
            raise Unreachable("the provider cannot be reached")
        self.begun.append(ToldProgress(list(self.lines)))
        return self.begun[-1]


@dataclass
class Managed:
    """A listener with managed providers."""

    listener: Listener
    providers: dict[str, ToldManagement]

    async def ask(
        self, path: str, body: dict[str, Any], *, is_admin: bool = True, models: tuple[str, ...] = ()
    ) -> Answer:
        method = "DELETE" if path == "/api/delete" else "POST"
        key = self.listener.keys.issue(f"k{len(self.listener.keys.records)}", models, is_admin=is_admin)
        headers = {"authorization": f"Bearer {key}"}
        return await call(self.listener.api, method, path, headers=headers, body=json.dumps(body).encode())


def managing(
    *names: str, known: Any = CATALOG, lines: tuple[str, ...] = ('{"status":"success"}',)
) -> Managed:
    providers = {name: ToldManagement(lines) for name in names}
    backends = BackendsByName({}, managed_by_name=providers)
    return Managed(listening(catalog=known, managed=backends), providers)


CHANGES = {
    "/api/pull": {"model": "zzz"},
    "/api/push": {"model": "home/basic"},
    "/api/create": {"model": "mine", "from": "home/basic"},
    "/api/copy": {"source": "home/basic", "destination": "mine"},
    "/api/delete": {"model": "home/basic"},
}


@pytest.mark.parametrize("path", CHANGES)
async def test_without_admin_scope_nothing_is_changed(path: str) -> None:
    managed = managing("home")
    body = json.dumps(CHANGES[path]).encode()
    method = "DELETE" if path == "/api/delete" else "POST"
    nobody = await call(managed.listener.api, method, path, body=body)
    for answer in (nobody, await managed.ask(path, CHANGES[path], is_admin=False)):
        assert answer.status == 403
        assert "relay keys create NAME --admin" in answer.json()["error"]
    assert managed.providers["home"].asked == []
    assert [line.error for line in managed.listener.lines] == ["admin_scope_needed"] * 2


@pytest.mark.parametrize("path", CHANGES)
async def test_with_nothing_managed_an_admin_key_is_told_so(path: str) -> None:
    if path != "/api/pull":
        answer = await managing().ask(path, CHANGES[path])
        assert answer.status == 403
        assert "is not enabled on this relay" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "provider_name", "fields"),
    [
        ("/api/delete", {"model": "lab/basic"}, "lab", {"model": "basic"}),
        ("/api/delete", {"NAME": "LAB/x"}, "lab", {"model": "x"}),
        ("/api/pull", {"model": "lab/hf.co/a/b:Q4"}, "lab", {"model": "hf.co/a/b:Q4", "stream": True}),
        ("/api/pull", {"model": "lab/n", "stream": False}, "lab", {"model": "n", "stream": True}),
        (
            "/api/create",
            {"model": "mine", "from": "home/basic", "parameters": {"Top_K": 1}},
            "home",
            {"model": "mine", "from": "basic", "parameters": {"Top_K": 1}, "stream": True},
        ),
        (
            "/api/copy",
            {"source": "basic", "destination": "home/mine"},
            "home",
            {"source": "basic", "destination": "mine"},
        ),
    ],
)
async def test_the_prefix_decides_and_the_provider_gets_its_own_names(
    path: str, body: dict[str, Any], provider_name: str, fields: dict[str, Any]
) -> None:
    managed = managing("home", "lab")
    assert (await managed.ask(path, body)).status == 200
    asked = {name: told.asked for name, told in managed.providers.items() if told.asked}
    assert asked == {provider_name: [(path.removeprefix("/api/"), fields)]}
    assert managed.listener.refreshed == [provider_name]
    assert managed.listener.lines[0].provider == provider_name
    assert managed.listener.books.started == []
    assert managed.providers[provider_name].begun[0].closed == 1


async def test_a_bare_name_goes_to_the_only_managed_provider() -> None:
    managed = managing("lab")
    assert (await managed.ask("/api/delete", {"model": "zzz"})).body == b""
    assert managed.providers["lab"].asked == [("delete", {"model": "zzz"})]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/delete", {"model": "basic"}),
        ("/api/copy", {"source": "home/basic", "destination": "lab/basic"}),
    ],
)
async def test_a_change_of_no_one_provider_names_the_choices(path: str, body: dict[str, Any]) -> None:
    answer = await managing("home", "lab").ask(path, body)
    assert answer.status == 400
    assert "home/, lab/" in answer.json()["error"]


async def test_another_provider_than_a_managed_one_is_not_changed() -> None:
    managed = managing("home")
    answer = await managed.ask("/api/create", {"model": "mine", "from": "up/gpt"})
    assert answer.status == 403
    assert "'up' is not enabled" in answer.json()["error"]
    assert managed.providers["home"].asked == []


async def test_an_admin_key_changes_what_it_reaches_and_nothing_else() -> None:
    managed = managing("home")
    for body in ({"source": "home/basic", "destination": "mine"}, {"source": "mine", "destination": "basic"}):
        answer = await managed.ask("/api/copy", body, models=("home/basic",))
        assert (answer.status, answer.json()["error"]) == (403, "this key does not reach home/mine")
    assert (await managed.ask("/api/push", {"model": "basic"}, models=("home/*",))).status == 200
    assert managed.listener.refreshed == []


async def test_an_ollama_without_models_is_asked_to_pull() -> None:
    managed = managing("home", known=EMPTY)
    assert (await managed.ask("/api/pull", {"model": "home/first"})).status == 200
    assert managed.providers["home"].asked == [("pull", {"model": "first", "stream": True})]


async def test_what_fails_before_the_first_line_has_its_status_and_refreshes_nothing() -> None:
    for stream in (True, False):
        managed = managing("home", lines=())
        answer = await managed.ask("/api/pull", {"model": "home/n", "stream": stream})
        assert (answer.status, answer.json()) == (502, {"error": "the provider cannot be reached"})
        assert managed.listener.refreshed == []


async def test_a_failure_in_the_progress_is_a_line_or_a_500() -> None:
    lines = ('{"status":"pulling manifest"}', '{"error":"no space"}')
    managed = managing("home", lines=lines)
    streamed = await managed.ask("/api/pull", {"model": "n"})
    assert (streamed.status, streamed.body.decode()) == (200, "".join(f"{line}\n" for line in lines))
    whole = await managed.ask("/api/pull", {"model": "n", "stream": False})
    assert (whole.status, whole.json()) == (500, {"error": "no space"})
    assert managed.listener.refreshed == []
    assert {(line.outcome, line.error) for line in managed.listener.lines} == {("error", "management_failed")}


async def test_progress_without_an_end_is_an_error_and_no_success() -> None:
    managed = managing("home", lines=('{"status":"pulling manifest"}',))
    streamed = await managed.ask("/api/pull", {"model": "n"})
    assert "ended before" in json.loads(streamed.body.splitlines()[-1])["error"]
    assert (await managed.ask("/api/pull", {"model": "n", "stream": False})).status == 502
    assert managed.listener.refreshed == []
