from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alertengine.errors import ConfigError
from alertengine.ledger.keys import load_key, load_or_create_key, open_signer, public_keys


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


def test_the_log_keeps_its_first_name(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    first = open_signer(path, "alerts.example.com")
    moved = open_signer(path, "elsewhere.example.com")
    assert moved.vkey == first.vkey
    assert public_keys(path) == [first.vkey]


def test_another_key_in_the_place_of_the_right_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    open_signer(path, "alerts.example.com")
    path.unlink()
    with pytest.raises(ConfigError, match="is missing"):
        open_signer(path, "alerts.example.com")
    assert not path.exists()
    load_or_create_key(path)
    with pytest.raises(ConfigError, match="is not the key of"):
        open_signer(path, "alerts.example.com")


def test_public_keys_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.vkey").write_text("nothing\n")
    with pytest.raises(ConfigError, match=r"ledger\.vkey holds no"):
        public_keys(tmp_path / "ledger.key")
