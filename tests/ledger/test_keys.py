from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alertengine.errors import ConfigError
from alertengine.ledger.keys import load_key, load_or_create_key


def public(path: Path) -> bytes:
    return load_or_create_key(path).public_key().public_bytes_raw()


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    assert public(path) == public(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert os.listdir(tmp_path) == ["ledger.pem"]


def test_those_who_race_get_one_key(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    with ThreadPoolExecutor(1) as pool:
        assert public(path) == pool.submit(public, path).result()


def test_a_key_written_meanwhile_is_the_one_used(tmp_path: Path) -> None:
    from alertengine.ledger.keys import create_key

    path = tmp_path / "ledger.pem"
    first = public(path)
    create_key(path)
    assert public(path) == first


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_holds_no_key_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ledger\.pem holds no Ed25519"):
        load_or_create_key(path)
    assert path.read_bytes() == content


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(path)
