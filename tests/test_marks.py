"""A recovery's secret takes part in what is approved, and nobody who reads the record can guess it from that."""

from __future__ import annotations

import hashlib
from pathlib import Path

from alertengine.app import Keys, catalogue, load_settings

ONE, TWO = "first-secret-of-the-daemon-0123456789", "second-secret-of-the-daemon-0123456789"


def spec(folder: Path, keys: Keys, password: str = "hunter2"):  # type: ignore[no-untyped-def]
    file = folder / "alertengine.toml"
    file.write_text(
        '[actions.restart]\nkind = "command"\ndescription = "restart"\nargv = ["/bin/true"]\n'
        f'env = {{ PASSWORD = "{password}" }}\n'
    )
    settings = load_settings(file, {"HOME": str(folder)}, {"data_dir": folder / "data"})
    return catalogue(settings, keys)["restart"]


def test_a_weak_secret_cannot_be_tried_without_the_daemon_s_own(tmp_path: Path) -> None:
    first = spec(tmp_path, Keys(secret=ONE, admin_key="a"))
    assert "hunter2" not in str(first.params)
    guesses = [b'action\n{"PASSWORD": "hunter2"}', b'{"PASSWORD": "hunter2"}', b"hunter2"]
    assert not any(hashlib.sha256(g).hexdigest()[:16] in str(first.params) for g in guesses)
    assert spec(tmp_path, Keys(secret=TWO, admin_key="a")).digest() != first.digest()


def test_another_secret_is_another_action(tmp_path: Path) -> None:
    keys = Keys(secret=ONE, admin_key="a")
    assert spec(tmp_path, keys).digest() == spec(tmp_path, keys).digest()
    assert spec(tmp_path, keys).digest() != spec(tmp_path, keys, "hunter3").digest()


def test_what_was_proposed_outlives_a_change_of_the_daemon_s_secret(tmp_path: Path) -> None:
    before = spec(tmp_path, Keys(secret=ONE, admin_key="a"))
    after = spec(tmp_path, Keys(secret=TWO, admin_key="a", previous=(ONE,)))
    assert before.digest() == after.digest()
