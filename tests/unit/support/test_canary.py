"""Canaries are unique and are found in files, folders, bytes and texts, also in pieces and encoded."""

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.canary import Canaries, make, search


def test_every_canary_is_unique() -> None:
    texts = [canary.text for _ in range(20) for canary in Canaries.fresh()]
    assert len(set(texts)) == len(texts) == 100
    assert all(len(text) <= 64 and text == text.lower() for text in texts)


def test_a_canary_is_found_in_texts_and_bytes_and_nowhere_else() -> None:
    canaries = Canaries.fresh()
    texts = {
        "log": f"key={canaries.caller_key.text} ok",
        "span": canaries.tag.text.encode(),
        "page": "nothing",
    }
    found = [(sighting.label, sighting.place) for sighting in search(canaries, texts=texts)]
    assert found == [("caller_key", "log"), ("tag", "span")]


def test_a_canary_is_found_in_files_and_folders(tmp_path: Path) -> None:
    canary = make("prompt")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "spool.bin").write_bytes(b"\xff\x00" + canary.text.encode() + b"\x00")
    (tmp_path / "clean.log").write_text("nothing")
    [sighting] = search([canary], paths=[tmp_path])
    assert (Path(sighting.place).name, sighting.offset) == ("spool.bin", 2)
    assert search([canary], paths=[tmp_path / "clean.log"]) == []


def test_a_canary_is_found_in_a_database_file(tmp_path: Path) -> None:
    canary = make("completion")
    file = tmp_path / "relay.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table t (x text)")
        database.execute("insert into t values (?)", ("x" * 5000 + canary.text,))
        database.commit()
    assert [sighting.label for sighting in search([canary], paths=[file])] == ["completion"]


@pytest.mark.parametrize("cut_at", range(1, 24))
def test_a_canary_cut_in_two_is_still_found(cut_at: int) -> None:
    canary = make("prompt")
    assert search([canary], texts=[canary.text[:cut_at] + "|" + canary.text[cut_at:]])


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_a_canary_in_base64_is_found_at_any_alignment(before: str) -> None:
    canary = make("key", "sk-")
    encoded = base64.b64encode((before + canary.text + ":x").encode())
    assert search([canary], texts=[b"Basic " + encoded])


def test_letter_case_does_not_hide_a_canary() -> None:
    canary = make("tag")
    assert search([canary], texts=[canary.text.upper()])
