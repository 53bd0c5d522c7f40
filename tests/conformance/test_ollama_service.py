"""Ollama's service routes and HTTP habits."""

import re

import pytest

from tests.conformance.wire import Api

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "hi"}]


@pytest.mark.conformance("ollama", 1, 2)
def test_the_root_says_that_ollama_is_running(api: Api) -> None:
    answer = api.get("/")
    assert (answer.status, answer.body) == (200, b"Ollama is running")
    assert answer.headers["content-type"].startswith("text/plain")
    head = api.send("HEAD", "/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"].startswith("text/plain")


@pytest.mark.conformance("ollama", 3)
def test_the_version_is_one_that_clients_compare_numerically(api: Api) -> None:
    version = api.get("/api/version").json["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[A-Za-z0-9.]+)?", version)
    assert tuple(map(int, version.partition("-")[0].split("."))) >= (0, 6, 4)
