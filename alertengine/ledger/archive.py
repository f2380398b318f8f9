"""A tenant's evidence in one file: a ZIP of bundles with a list of them, written and checked piece by piece."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alertengine.ledger.bundle import MAX_BYTES, BundleError, check

FORMAT = "alertengine-export/1"
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 << 20


class _Drain:
    """What was written since it was last emptied; it cannot be sought in, so the ZIP is written straight on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class ArchiveWriter:
    """Each call answers the next bytes of the file, so that no more than one bundle is ever held."""

    def __init__(self, made_at: datetime) -> None:
        self._drain = _Drain()
        self._zip = zipfile.ZipFile(self._drain, "w", zipfile.ZIP_DEFLATED)  # type: ignore[call-overload]
        self._made_at = made_at
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any], bundle: bytes) -> bytes:
        """The bundle of the incident that `row` lists."""
        name = f"{row['incident_id']}.html"
        digest = hashlib.sha256(bundle).hexdigest()
        self._rows.append({**row, "file": name, "bytes": len(bundle), "sha256": digest})
        self._put(name, bundle)
        return self._drain.take()

    def end(self, about: Mapping[str, Any]) -> bytes:
        manifest = {"format": FORMAT, **about, "incidents": self._rows}
        self._put(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        self._zip.close()
        return self._drain.take()

    def _put(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, self._made_at.timetuple()[:6])
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        self._zip.writestr(info, data)


@dataclass(frozen=True, slots=True)
class Checked:
    """What an archive holds, every bundle of it verified."""

    tenant_id: str
    incidents: tuple[Mapping[str, Any], ...]
    vkeys: tuple[str, ...]
    trusted: bool


def read_manifest(path: Path) -> dict[str, Any]:
    """The list alone; nothing is proved by it."""
    with _opened(path) as archive:
        return _manifest(archive)


def check_archive(path: Path, vkeys: Sequence[str] = ()) -> Checked:
    """Verify every bundle, and that the list is of these and no others. Raises `BundleError`."""
    with _opened(path) as archive:
        manifest = _manifest(archive)
        try:
            tenant, rows = str(manifest["tenant_id"]), [dict(row) for row in manifest["incidents"]]
            listed = sorted([MANIFEST, *(str(row["file"]) for row in rows)])
            if listed != sorted(archive.namelist()):
                raise BundleError("the files are not those that the manifest lists")
            seen = {key for row in rows for key in _check_row(archive, tenant, row, vkeys)}
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            why = error if isinstance(error, ValueError) else "a field is missing or of another type"
            raise BundleError(f"this is not an export of the form {FORMAT}: {why}") from None
    return Checked(tenant, tuple(rows), tuple(sorted(seen)), bool(vkeys))


def _check_row(
    archive: zipfile.ZipFile, tenant: str, row: Mapping[str, Any], vkeys: Sequence[str]
) -> tuple[str, ...]:
    name = row["file"]
    data = _member(archive, name, MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise BundleError(f"{name} is not the file that the manifest lists")
    try:
        evidence = check(data, vkeys)
    except BundleError as error:
        raise BundleError(f"{name}: {error}") from None
    if (evidence.tenant_id, evidence.incident_id) != (tenant, row["incident_id"]):
        raise BundleError(f"{name} is evidence of {evidence.incident_id} of {evidence.tenant_id}")
    return evidence.vkeys


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BundleError(f"this archive is cut off or none: {error}") from None


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        read = json.loads(_member(archive, MANIFEST, MAX_MANIFEST))
    except ValueError as error:
        raise BundleError(f"the manifest cannot be read: {error}") from None
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise BundleError(f"this is not an export of the form {FORMAT}")
    return read


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """One file of it, of which no more is unpacked than the limit, whatever it claims."""
    try:
        with archive.open(name) as opened:
            data = opened.read(limit + 1)
    except (KeyError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleError(f"{name} cannot be read: {error}") from None
    if len(data) > limit:
        raise BundleError(f"{name} has more than {limit} bytes")
    return data
