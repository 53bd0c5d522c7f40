"""Who holds the port: asked of the port itself, so that the error can say what to do."""

import json
from dataclasses import dataclass

ASK_S = 0.3
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What one GET brought; nothing when the port did not speak HTTP in time."""

    headers: dict[str, str]
    body: bytes


def explain_busy_port(host: str, port: int) -> str:
    """The whole error text for a port that is taken."""
    opening = f"cannot listen on {host}:{port}: address already in use."
    other = f"Use another port: --port {port + 1}"
    root = _get(host, port, "/")
    if root is None:
        return f"{opening}\n  It is another program.\n  {other}"
    if any(name.startswith("x-relay-") for name in root.headers):
        return f"{opening}\n  It is another LLM Relay.\n  {other}, or stop that one first."
    if b"Ollama is running" in root.body:
        return (
            f"{opening}\n  It is Ollama {_version(host, port)}.\n"
            f"  Keep both:  {other.removeprefix('Use another port: ')} and set OLLAMA_HOST={host}:{port}"
            " so that the relay serves its models too.\n"
            f"  Or move it: OLLAMA_HOST={host}:{port + 1} ollama serve, then start the relay again."
        )
    return f"{opening}\n  It is another program that speaks HTTP.\n  {other}"


def _version(host: str, port: int) -> str:
    answer = _get(host, port, "/api/version")
    try:
        document = json.loads(answer.body) if answer else None
    except ValueError:
        document = None
    version = document.get("version") if isinstance(document, dict) else None
    return version[:40] if isinstance(version, str) and version.isprintable() else "(unknown version)"


def _get(host: str, port: int, path: str) -> Answer | None:
    import http.client  # much for the one start in a hundred whose port is taken

    connection = http.client.HTTPConnection(host, port, timeout=ASK_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(headers, response.read(MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
