"""The command `relay`: options that every command shares, and sub-commands loaded when they are used."""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import rich_click as click

from relay import __version__
from relay.adapters.inbound.cli.refusal import Refused

_COMMANDS = {
    "serve": "Serve the API.",
    "demo": "Serve a real small model and scripted providers: no key, no network.",
    "models": "List the names a caller may use.",
    "explain": "Tell where a name leads, and why.",
    "usage": "Report what was used.",
    "keys": "Create, list and revoke API keys.",
    "prices": "Show prices, quote what a usage costs, and take prices from newer lists.",
    "config": "Check the configuration, and have a running relay take it over.",
}
_PACKAGE = "relay.adapters.inbound.cli"


class _LazyGroup(click.RichGroup):
    """A group whose commands are imported only when they are run or their own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """What the list of commands shows of it."""
        short = _COMMANDS.get(cmd_name)
        return click.RichCommand(name=cmd_name, help=short) if short else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command itself."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and _loaded(name or ""), rest


def _loaded(name: str) -> click.Command:
    command = importlib.import_module(f"{_PACKAGE}.{name}").command
    assert isinstance(command, click.Command)  # noqa: S101 - our own modules
    return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="relay", message="relay %(version)s")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The relay.toml to use. Also RELAY_CONFIG.",
)
@click.pass_context
def _relay(ctx: click.Context, config: Path | None) -> None:
    """One address between any LLM client and any LLM provider."""
    ctx.meta["config"] = config


def run(programs: Callable[[], object], arguments: Sequence[str] | None = None) -> int:
    """Run one command with the `Programs` that `programs` loads when they are needed.

    They are not named as such here: with that type comes the domain, which `--version` and `--help` do without.
    The exit code: 0 done, 1 failed, 2 usage, 3 not found, 4 configuration, 5 not reached,
    6 done with findings, 130 interrupted.
    """
    try:
        _relay.main(arguments, prog_name="relay", standalone_mode=False, obj=programs)
    except Refused as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - the one place a refusal is shown
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0
