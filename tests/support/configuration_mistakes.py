"""Configuration files with one mistake each, and what is said of it behind the file's name."""

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "contract" / "configuration_mistakes"
EXPECTED: dict[str, str] = tomllib.loads((FOLDER / "expected.toml").read_text("utf-8"))
MISTAKES = sorted(file for file in FOLDER.glob("*.toml") if file.name != "expected.toml")
