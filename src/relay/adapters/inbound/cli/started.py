"""What `relay serve` and `relay demo` say once they answer."""

from collections.abc import Iterator

import rich_click as click

from relay import __version__
from relay.adapters.inbound.cli.programs import ProviderLine, ServerStarted


def announce(server: ServerStarted, *lines: str) -> None:
    """Print where the relay answers, with which providers, and `lines` of the command's own."""
    for line in (*_opening(server), *_providers(server.providers), *_closing(server), *lines):
        click.echo(line)


def _opening(server: ServerStarted) -> Iterator[str]:
    config = str(server.config) if server.config else "no relay.toml found, using defaults"
    yield f"LLM Relay {__version__}   {config}; data in {server.database}"
    yield ""
    yield f"  API      {server.url}     OpenAI /v1   Ollama /api"
    yield ""


def _providers(providers: tuple[ProviderLine, ...]) -> Iterator[str]:
    for provider in providers:
        if provider.state == "configured":
            yield f"  ready    {provider.name:<12} {provider.detail}".rstrip()
    waiting = [provider.name for provider in providers if provider.state == "no key"]
    if waiting:
        yield f"  no key   {', '.join(waiting)}"
    yield ""


def _closing(server: ServerStarted) -> Iterator[str]:
    if server.needs_keys:
        yield "  Callers need a key: relay keys create NAME"
    yield "  Stop: Ctrl-C"
