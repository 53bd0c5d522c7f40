"""Models of an Ollama changed through the relay: by its official client, with a key of admin scope."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ollama
import pytest

from tests.support.books import settled_rows
from tests.support.process import ServerProcess, run_cli, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream, running_upstream
from tests.support.upstream.management import DENIED, TEXT_OF_REGISTRY

pytestmark = pytest.mark.e2e

SOON_S = 5.0


@dataclass
class Place:
    """A relay before an Ollama it manages, and a key of each scope."""

    server: ServerProcess
    upstream: ScriptedUpstream
    admin: ollama.Client
    other: ollama.Client

    def changes(self) -> list[tuple[str, str, object]]:
        """What the provider was asked to change."""
        routes = ("/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete")
        calls = self.upstream.ledger.calls
        return [(call.method, call.path, call.body) for call in calls if call.path in routes]

    def pulls_left(self) -> list[bool]:
        """Of each pull that the provider was asked for, whether it was let go of."""
        calls = self.upstream.ledger.calls
        return [call.peer_closed_at is not None for call in calls if call.path == "/api/pull"]

    def names(self) -> set[str]:
        return {str(model.model) for model in self.admin.list().models}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("managed")
    with running_upstream(ScriptedUpstream(models=("basic", "tools"))) as upstream:
        home: Toml = {"kind": "ollama", "base_url": upstream.base_url, "manage": True}
        plain: Toml = {"kind": "ollama", "base_url": upstream.base_url}
        write_relay_toml(folder, {"providers": {"home": home, "plain": plain}})
        with running_server(folder) as server:
            keys = [
                run_cli("keys", "create", *args, cwd=folder).stdout.strip()
                for args in (("ops", "--admin"), ("web",))
            ]
            admin, other = (
                ollama.Client(server.url, headers={"authorization": f"Bearer {key}"}) for key in keys
            )
            with admin._client, other._client:
                yield Place(server, upstream, admin, other)


@pytest.fixture
def place(made: Place) -> Place:
    soon(lambda: {"home/basic:latest", "plain/basic:latest"} <= made.names())
    made.upstream.ledger.clear()
    return made


def soon(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_pulled_model_is_listed_at_once_and_can_be_copied_and_deleted(place: Place) -> None:
    parts = [part.status for part in place.admin.pull("home/fresh:1b", stream=True)]
    assert parts == ["pulling manifest", "pulling 0a0a0a0a0a0a", "success"]
    soon(lambda: "home/fresh:1b" in place.names())
    assert place.admin.copy("home/fresh:1b", "mine").status == "success"
    soon(lambda: "home/mine:latest" in place.names())
    assert place.admin.delete("mine").status == "success"
    soon(lambda: "home/mine:latest" not in place.names())
    assert place.changes() == [
        ("POST", "/api/pull", {"model": "fresh:1b", "insecure": False, "stream": True}),
        ("POST", "/api/copy", {"source": "fresh:1b", "destination": "mine"}),
        ("DELETE", "/api/delete", {"model": "mine"}),
    ]


def test_a_model_is_made_and_pushed_without_a_stream(place: Place) -> None:
    made = place.admin.create("home/me/kind", from_="home/basic", system="Be kind.", stream=False)
    assert made.status == "success"
    assert place.admin.push("home/me/kind", insecure=True, stream=False).status == "success"
    assert place.changes() == [
        ("POST", "/api/create", {"model": "me/kind", "from": "basic", "system": "Be kind.", "stream": True}),
        ("POST", "/api/push", {"model": "me/kind", "insecure": True, "stream": True}),
    ]


def test_what_the_provider_says_no_to_reaches_the_client(place: Place) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'gone' not found") as refused:
        place.admin.delete("home/gone")
    assert refused.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="no space left on device") as failed:
        place.admin.pull("broken")
    assert failed.value.status_code == 500
    with pytest.raises(ollama.ResponseError, match=TEXT_OF_REGISTRY):
        list(place.admin.pull("missing", stream=True))
    with pytest.raises(ollama.ResponseError, match=DENIED) as denied:
        place.admin.push("denied")
    assert denied.value.status_code == 500


@pytest.mark.parametrize(("name", "words"), [("cut", "ended before"), ("garbage", "not lines of JSON")])
def test_progress_that_breaks_off_ends_in_an_error(place: Place, name: str, words: str) -> None:
    with pytest.raises(ollama.ResponseError, match=words):
        list(place.admin.pull(name, stream=True))
    with pytest.raises(ollama.ResponseError, match=words) as failed:
        place.admin.pull(name)
    assert failed.value.status_code == 502


def test_only_an_admin_key_and_a_managed_provider_will_do(place: Place) -> None:
    with pytest.raises(ollama.ResponseError, match="relay keys create NAME --admin") as refused:
        place.other.delete("home/basic")
    assert refused.value.status_code == 403
    with pytest.raises(ollama.ResponseError, match="admin scope"):
        place.other.pull("home/other")
    with pytest.raises(ollama.ResponseError, match="'plain' is not enabled") as unmanaged:
        place.admin.delete("plain/basic")
    assert unmanaged.value.status_code == 403
    assert place.admin.pull("plain/basic").status == "success"
    assert place.changes() == []


def test_a_client_that_leaves_takes_the_change_with_it(place: Place) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=10)
    credential = place.admin._client.headers["authorization"]
    connection.request("POST", "/api/pull", json.dumps({"model": "stalls"}), {"authorization": credential})
    response = connection.getresponse()
    assert response.readline() == b'{"status":"pulling manifest"}\n'
    assert place.pulls_left() == [False]
    response.close()
    connection.close()
    soon(lambda: place.pulls_left() == [True])


def test_a_client_that_waits_for_the_end_takes_the_change_with_it_too(place: Place) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=10)
    credential = place.admin._client.headers["authorization"]
    asked = json.dumps({"model": "stalls", "stream": False})
    connection.request("POST", "/api/pull", asked, {"authorization": credential})
    soon(lambda: place.pulls_left() == [False])
    connection.close()
    soon(lambda: place.pulls_left() == [True])


def test_nothing_of_it_is_in_the_books_but_all_of_it_in_the_log(place: Place) -> None:
    place.admin.copy("home/basic", "home/logged")
    place.admin.chat("home/basic", [{"role": "user", "content": "hi"}])
    rows = settled_rows(place.server.folder, lambda rows: len(rows) == 1)
    assert len(rows) == 1
    assert "/api/copy" in place.server.stderr + place.server.stdout
