"""A backup is one tar file: the store as it was at one moment, and the keys without which it is worth little."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alertengine.core.model import rfc3339
from alertengine.errors import Invalid, StoreDamaged
from alertengine.ledger.keys import open_signer, public_keys, sync_directory, write_durably
from alertengine.ledger.verify import Report, verify_file
from alertengine.store.offline import accept

FORM = "alertengine-backup/1"
STORE = "store.db"
KEPT = ("ledger.key", "ledger.vkey", "secret", "admin_key")
"""Files of the data directory that belong to a backup, where they are there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an installation keeps its store and its keys."""

    data_dir: Path
    store: Path
    mark_file: Path | None = None

    @property
    def ledger_key(self) -> Path:
        return self.data_dir / "ledger.key"


def back_up(place: Place, target: Path, now: datetime) -> Report:
    """Write `target`, durably, while a daemon may be running. Refuses to write over a file."""
    if target.exists():
        raise Invalid(f"{target} is there already; choose another name")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        copy = Path(folder) / STORE
        _copy_store(place.store, copy)
        report = verify_file(copy, public_keys(place.ledger_key)[:1])
        if not report.verified:
            raise StoreDamaged(f"{place.store} does not verify, so it is not backed up: {report.problems[0]}")
        contents = {STORE: copy.read_bytes()}
        contents |= {
            name: (place.data_dir / name).read_bytes() for name in KEPT if (place.data_dir / name).exists()
        }
        draft = Path(folder) / "backup"
        write_durably(draft, _pack(contents, now))
        os.link(draft, target)
    sync_directory(target.parent)
    return report


def restore(place: Place, source: Path, now: datetime) -> Report:
    """Fill an empty data directory from a backup. Links that were out when it was made no longer work."""
    if place.data_dir.exists() and any(place.data_dir.iterdir()):
        raise Invalid(f"{place.data_dir} is not empty; restore into a new --data-dir, or move it away first")
    if place.store.exists():
        raise Invalid(f"{place.store} is there already; move it away first")
    contents = _unpack(source)
    place.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [_put(place, name, data) for name, data in contents.items()]
    try:
        report = verify_file(place.store, public_keys(place.ledger_key)[:1])
        if not report.verified:
            raise StoreDamaged(f"The store in {source} does not verify: {report.problems[0]}")
        accept(
            place.store,
            open_signer(place.ledger_key, ""),
            f"restored from {source.name}",
            now,
            place.mark_file,
        )
    except BaseException:
        for file in [*written, *place.store.parent.glob(f"{place.store.name}[-.]*")]:
            file.unlink(missing_ok=True)
        raise
    sync_directory(place.data_dir)
    return report


def _copy_store(source: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(copy)) as duplicate,
        ):
            original.backup(duplicate)
            duplicate.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise StoreDamaged(f"{source} cannot be read ({error}).") from error


def _pack(contents: Mapping[str, bytes], now: datetime) -> bytes:
    manifest = {
        "form": FORM,
        "made_at": rfc3339(now),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in {"manifest.json": json.dumps(manifest, indent=1).encode(), **contents}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o600, int(now.timestamp())
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _unpack(source: Path) -> dict[str, bytes]:
    """The backup's files by name, each as its manifest has it."""
    try:
        with tarfile.open(source) as archive:
            contents = {member.name: _read(archive, member) for member in archive.getmembers()}
        manifest: dict[str, Any] = json.loads(contents.pop("manifest.json"))
        form, digests = manifest["form"], manifest["files"]
    except OSError as error:
        raise Invalid(f"{source} cannot be read ({error.strerror})") from error
    except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise Invalid(
            f"{source} is no backup of AlertEngine: give a file that `alertengine backup` wrote"
        ) from error
    if form != FORM or STORE not in digests:
        raise Invalid(f"{source} is a backup of the form {form!r}; this program reads {FORM}")
    if contents.keys() != digests.keys() or not contents.keys() <= {STORE, *KEPT}:
        raise StoreDamaged(f"{source} does not hold the files that its manifest names.")
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != digests[name]:
            raise StoreDamaged(f"{name} in {source} is damaged: take another backup.")
    return contents


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file.read()


def _put(place: Place, name: str, data: bytes) -> Path:
    path = place.store if name == STORE else place.data_dir / name
    write_durably(path, data)
    return path
