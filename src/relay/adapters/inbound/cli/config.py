"""`relay config`."""

from pathlib import Path
from typing import cast

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.programs import Checked
from relay.adapters.inbound.cli.refusal import BAD_CONFIGURATION, Refused
from relay.adapters.inbound.cli.session import print_json, programs
from relay.settings import spelled_out


@click.group("config")
def command() -> None:
    """Check the configuration, and have a running relay take it over."""


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _check(ctx: click.Context, file: Path | None, as_json: bool) -> None:
    """Find every mistake in FILE, or in the relay.toml that would be used, and in the environment."""
    checked = programs(ctx).check_configuration(file or _named(ctx))
    if as_json:
        print_json(_document(checked))
    elif not checked.mistakes:
        click.echo("ok")
        click.echo(_what_there_is(checked), err=True)
    _refuse(checked, as_json, "relay serve would not start with it")


@command.command("reload")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _reload(ctx: click.Context, as_json: bool) -> None:
    """Have the running relay read its configuration anew: in force whole, or not at all."""
    reloaded = programs(ctx).reload_configuration(_named(ctx))
    if as_json:
        print_json(
            {**_document(reloaded), "changed": reloaded.is_changed, "needs_restart": reloaded.needs_restart}
        )
    elif not reloaded.mistakes:
        click.echo("reloaded" if reloaded.is_changed else "unchanged")
        click.echo(_what_there_is(reloaded), err=True)
        for key in reloaded.needs_restart:
            click.echo(f"{key} changes when the relay is started again", err=True)
    _refuse(reloaded, as_json, "the old configuration stays in force")


@command.command("import-overrides")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def _import_overrides(ctx: click.Context, file: Path) -> None:
    """Print the rules of FILE, a YAML of model overrides, as sections of relay.toml."""
    imported = programs(ctx).import_overrides(file)
    click.echo(imported.toml, nl=False)
    for remark in imported.remarks:
        click.echo(remark, err=True)


def _named(ctx: click.Context) -> Path | None:
    return cast(Path | None, ctx.meta.get("config"))  # put there by the group


def _document(checked: Checked) -> dict[str, object]:
    return {
        "ok": not checked.mistakes,
        "file": checked.file or None,
        "providers": checked.providers,
        "models": checked.models,
        "mistakes": [msgspec.to_builtins(mistake) for mistake in checked.mistakes],
    }


def _what_there_is(checked: Checked) -> str:
    file = checked.file or "no relay.toml found, the defaults hold"
    return f"{file}: providers: {checked.providers}, virtual models: {checked.models}"


def _refuse(checked: Checked, as_json: bool, consequence: str) -> None:
    """Show the mistakes, if there are any, and end with the exit code for them."""
    if not checked.mistakes:
        return
    if not as_json:
        click.echo("\n".join(map(spelled_out, checked.mistakes)), err=True)
    count = len(checked.mistakes)
    raise Refused(f"{count} mistake{'s' if count > 1 else ''}: {consequence}", BAD_CONFIGURATION)
