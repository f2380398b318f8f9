"""The ledger's keys on disk: the private one, and beside it the public ones, the newest first.

The public file also keeps the name that the log was given at its beginning: a daemon that moves to another
address goes on with the same log.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine.errors import ConfigError
from alertengine.ledger.note import CheckpointSigner, NoteError, VerifierKey


def open_signer(path: Path, name: str) -> CheckpointSigner:
    """The signer with the key in this file; key and name are made the first time and kept from then on."""
    if _waiting_file(path).exists():
        raise ConfigError(
            ["A change of the ledger's key was cut off; finish it: alertengine ledger rotate-key"]
        )
    public = public_keys(path)
    if not public:
        signer = CheckpointSigner(load_or_create_key(path), name)
        replace_durably(_public_file(path), f"{signer.vkey}\n".encode())
        return signer
    if not path.exists():
        raise ConfigError([f"{path} is missing, the key of {public[0]}; put it back from a backup"])
    signer = CheckpointSigner(load_key(path), VerifierKey.parse(public[0]).name)
    if signer.vkey != public[0]:
        raise ConfigError([f"{path} is not the key of {public[0]}; put the right one back from a backup"])
    return signer


def current_signer(path: Path) -> CheckpointSigner:
    """The signer that a rotation begins from, whatever is waiting."""
    private = load_key(path)
    for vkey in public_keys(path):
        signer = CheckpointSigner(private, VerifierKey.parse(vkey).name)
        if signer.vkey == vkey:
            return signer
    raise ConfigError([f"{path} is none of the keys in {_public_file(path)}; put the right one back"])


def waiting_signer(path: Path, name: str) -> CheckpointSigner:
    """The key that is to take over; made durable before anything is signed with it."""
    return CheckpointSigner(load_or_create_key(_waiting_file(path)), name)


def take_over(path: Path, signer: CheckpointSigner) -> None:
    """Make the waiting key the one that signs. Cut off anywhere, it can be done again."""
    older = [vkey for vkey in public_keys(path) if vkey != signer.vkey]
    replace_durably(_public_file(path), "".join(f"{vkey}\n" for vkey in [signer.vkey, *older]).encode())
    _waiting_file(path).replace(path)
    sync_directory(path.parent)


def _waiting_file(path: Path) -> Path:
    return path.with_suffix(".next")


def public_keys(path: Path) -> list[str]:
    """The verifier keys that belong to this private key's file: today's first, then those before it."""
    try:
        lines = _public_file(path).read_text().split()
        return [str(VerifierKey.parse(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (NoteError, UnicodeDecodeError) as error:
        raise ConfigError([f"{_public_file(path)} holds no verifier keys ({error}); put it back"]) from error


def _public_file(path: Path) -> Path:
    return path.with_suffix(".vkey")


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


def replace_durably(path: Path, data: bytes) -> None:
    """The file with this content, whole or as it was before, on the disk when this returns."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    write_durably(draft, data)
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
