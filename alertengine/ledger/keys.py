"""The ledger's private key on disk."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine.errors import ConfigError


def load_or_create_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in this PKCS#8 PEM file; a new one, durably written, if there is no such file."""
    try:
        return load_key(path)
    except FileNotFoundError:
        create_key(path)
        # Read it back: of two processes that race here both must use the file that won.
        return load_key(path)


def load_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError([f"{path} holds no Ed25519 private key (PKCS#8 PEM, not encrypted); put it back"])
    if path.stat().st_mode & 0o077:
        raise ConfigError([f"{path} can be read by others than its owner: chmod 600 {path}"])
    return key


def create_key(path: Path) -> None:
    """Write a fresh key beside `path` and link it there, so that a whole key appears or none does."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        write_durably(draft, pem)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """A new file that only its owner may read, on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
