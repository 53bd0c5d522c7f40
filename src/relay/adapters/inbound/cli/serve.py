"""`relay serve`."""

import rich_click as click

from relay.adapters.inbound.cli.session import programs, settings
from relay.adapters.inbound.cli.started import announce


@click.command("serve")
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; 0 takes a free one.")
@click.option(
    "--insecure-no-auth", "insecure", is_flag=True, help="Listen beyond this machine without API keys."
)
@click.option("--watch", is_flag=True, help="Reload the configuration whenever its file changes.")
@click.pass_context
def command(ctx: click.Context, host: str | None, port: int | None, insecure: bool, watch: bool) -> None:
    """Serve the API until stopped. SIGHUP reloads the configuration."""
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    programs(ctx).serve(settings(ctx, {"server": given}), insecure=insecure, watch=watch, started=announce)
