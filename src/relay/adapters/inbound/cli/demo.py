"""`relay demo`."""

import rich_click as click

from relay.adapters.inbound.cli.programs import ServerStarted
from relay.adapters.inbound.cli.session import programs, settings
from relay.adapters.inbound.cli.started import announce


@click.command("demo")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; 0 takes a free one.")
@click.pass_context
def command(ctx: click.Context, port: int | None) -> None:
    """Serve a real small language model and scripted providers: no key, no network."""
    flags = {"server": {"port": port}} if port is not None else {}
    programs(ctx).demo(settings(ctx, flags), started=_announce)


def _announce(server: ServerStarted) -> None:
    announce(
        server,
        "",
        "  Try it:",
        f"    curl {server.url}/api/chat -d '"
        '{"model": "local/smollm2:135m", "stream": false,'
        ' "messages": [{"role": "user", "content": "What is the capital of France?"}]}\'',
        "    relay usage",
        "",
        "  local/smollm2:135m is a toy of 135 million parameters: it proves the way, not wisdom.",
        "  The models under scripted/ answer from a script.",
    )
