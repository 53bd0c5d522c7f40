"""Coding agents from npm, in their one-shot modes: Codex CLI and Claude Code, each with a home of its own."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.architecture.repository import ROOT

PACKAGES = ROOT / "tests" / "e2e" / "agents" / "node_modules"
TIMEOUT_S = 60.0

_CODEX = """
model = "{model}"
model_provider = "relay"
[model_providers.relay]
name = "relay"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "RELAY_KEY"
"""


def needed() -> str:
    """What this machine lacks; empty when nothing."""
    if shutil.which("node") is None:
        return "needs Node.js"
    if _codex() is None or _claude() is None:
        return "needs the packages of tests/e2e/agents, which `make setup` installs"
    return ""


def run_codex(url: str, model: str, prompt: str, *, key: str, folder: Path) -> str:
    """What `codex exec` prints at the end; it may run any command in its folder."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(_CODEX.format(model=model, url=url), "utf-8")
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    own = {"CODEX_HOME": str(home), "RELAY_KEY": key}
    return _run([str(_codex()), "exec", *free, prompt], folder, own)


def run_claude(url: str, model: str, prompt: str, *, key: str, folder: Path) -> str:
    """What `claude -p` prints; it may run any command in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",  # it runs everything as root only where that is said to be harmless
    }
    free = ["--dangerously-skip-permissions", "--model", model]
    return _run([str(_claude()), "-p", prompt, *free], folder, own)


def _run(command: list[str], folder: Path, own: dict[str, str]) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1", **own}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def _codex() -> Path | None:
    """The program itself: npm's wrapper needs install scripts, which are not run."""
    return next(PACKAGES.glob("@openai/codex-*/vendor/*/bin/codex"), None)


def _claude() -> Path | None:
    return next(PACKAGES.glob("@anthropic-ai/claude-code-*/claude"), None)
