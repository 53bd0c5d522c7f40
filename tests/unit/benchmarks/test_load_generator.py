"""The load generator believes no gateway: each way to lose something is a wrong answer."""

import shutil
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.measuring import Sample, measure
from benchmarks.processes import accepts, free_port, process
from benchmarks.programs import compiled_c
from benchmarks.scenarios import Scenario
from benchmarks.targets import Target

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("cc"), reason="the load generator needs a C compiler"),
]

WHOLE = Scenario(name="whole", title="", targets=(), connections=4)
STREAM = Scenario(name="stream", title="", targets=(), connections=4, streams=True)
VARIED = Scenario(name="varied", title="", targets=(), connections=70, streams=True, varies=True)

type Lie = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def mock_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with process([str(compiled_c("mock")), str(port)], folder=tmp_path_factory.mktemp("mock"), core=0):
        assert accepts(port)
        yield port


@contextmanager
def gateway(upstream: int, lie: Lie) -> Iterator[int]:
    """A gateway of one thread per connection that tells what the mock said after `lie` has been at it."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", upstream)) as behind:
                while request := self.request.recv(65536):
                    behind.sendall(request)
                    self.request.sendall(lie(_answer(behind)))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _answer(behind: socket.socket) -> bytes:
    """One whole answer of the mock, head and body."""
    answer = b""
    while b"\r\n\r\n" not in answer or not _is_whole(answer):
        answer += behind.recv(65536)
    return answer


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head:
        return body.endswith(b"\r\n0\r\n\r\n")
    return len(body) >= int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])


def asked(port: int, scenario: Scenario) -> Sample:
    target = Target(name="liar", url=f"http://127.0.0.1:{port}/v1/chat/completions")
    return measure(target, scenario, number=0, seconds=0.2, warm_s=0.05)


def without_a_chunk(answer: bytes) -> bytes:
    first, middle, last = answer.partition(b"@T")
    return first + b"@X" + last if middle else answer


def doubled_chunk(answer: bytes) -> bytes:
    start = answer.index(b"@T") + 1
    end = answer.index(b"@", start) + 1
    mark = answer[start - 1 : end]
    # Two marks in place of the first two: the count is right, one is there twice.
    second = answer.index(b"@T", end)
    return answer[:second] + mark + answer[second + len(mark) :]


@pytest.mark.parametrize(
    ("scenario", "lie", "complaint"),
    [
        (WHOLE, lambda answer: answer.replace(b"safe to run.", b"safe to lie."), "the text is not whole"),
        (WHOLE, lambda answer: answer.replace(b'"completion_tokens"', b'"completion_t0kens"'), "token count"),
        (WHOLE, lambda answer: answer.replace(b'_tokens":64', b'_tokens":65'), "token count"),
        (WHOLE, lambda answer: answer.replace(b"200 OK", b"201 OK"), "the status is not 200"),
        (STREAM, without_a_chunk, "chunks are missing"),
        (STREAM, doubled_chunk, "out of order"),
        (STREAM, lambda answer: answer.replace(b"[DONE]", b"[DONT]"), "the end is missing"),
        (STREAM, lambda answer: answer.replace(b'_tokens":64', b'_tokens":63'), "token count"),
    ],
)
def test_a_gateway_that_loses_something_is_found_out(
    mock_port: int, scenario: Scenario, lie: Lie, complaint: str
) -> None:
    with gateway(mock_port, lie) as port:
        sample = asked(port, scenario)
    assert sample.wrong > 0
    assert complaint in sample.what_was_wrong
    assert sample.latency_p50_ms is None, "a wrong answer is not timed"


@pytest.mark.parametrize("scenario", [WHOLE, STREAM, VARIED])
def test_a_gateway_that_loses_nothing_is_believed(mock_port: int, scenario: Scenario) -> None:
    with gateway(mock_port, lambda answer: answer) as port:
        sample = asked(port, scenario)
    assert (sample.wrong, sample.what_was_wrong) == (0, "")
    assert sample.requests_per_s


def test_the_processor_time_is_that_of_the_gateway_and_its_children(mock_port: int, tmp_path: Path) -> None:
    shell = ["sh", "-c", f"{compiled_c('mock')} {(port := free_port())} & wait"]
    with process(shell, folder=tmp_path, core=0) as running:
        assert accepts(port)
        target = Target(name="mock", url=f"http://127.0.0.1:{port}/v1/chat/completions", pid=running.pid)
        sample = measure(target, WHOLE, number=0, seconds=0.2, warm_s=0.05)
    assert sample.cpu_us_per_request is not None
    assert 0.5 < sample.cpu_us_per_request < 2_000
