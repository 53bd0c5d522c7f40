"""What holds a port, asked of the port: an Ollama, a relay, another server, or something silent."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from relay.adapters.inbound.cli.port_diagnosis import explain_busy_port


@contextmanager
def serving(answers: Mapping[str, bytes], headers: Mapping[str, str] | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path, b"")
            self.send_response(200 if self.path in answers else 404)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_an_ollama_is_named_with_its_version_and_both_ways_out() -> None:
    answers = {"/": b"Ollama is running", "/api/version": b'{"version": "0.14.2"}'}
    with serving(answers) as port:
        text = explain_busy_port("127.0.0.1", port)
    assert "It is Ollama 0.14.2." in text
    assert f"--port {port + 1}" in text
    assert f"OLLAMA_HOST=127.0.0.1:{port + 1} ollama serve" in text


def test_a_version_that_is_garbage_is_not_shown() -> None:
    with serving({"/": b"Ollama is running", "/api/version": b'{"version": "\\u001b[31m"}'}) as port:
        assert "(unknown version)" in explain_busy_port("127.0.0.1", port)


def test_another_relay_is_known_by_its_headers() -> None:
    with serving({"/": b"Ollama is running"}, {"x-relay-version": "1"}) as port:
        assert "another LLM Relay" in explain_busy_port("127.0.0.1", port)


def test_another_web_server_is_called_what_it_is() -> None:
    with serving({"/": b"hello"}) as port:
        assert "another program that speaks HTTP" in explain_busy_port("127.0.0.1", port)


def test_a_silent_program_is_given_up_on_quickly() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "It is another program." in explain_busy_port("127.0.0.1", silent.getsockname()[1])
