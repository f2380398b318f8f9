"""Signed notes and checkpoints in the C2SP text forms (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is text, an empty line, and one line a signature. A checkpoint is a note whose text names a log, its
size and its root hash. Only Ed25519 signatures (type 0x01) are made and checked; lines of unknown keys are
passed over, as the form demands, so that witnesses can add theirs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
MAX_SIGNATURES = 64
MAX_NOTE_BYTES = 1 << 18
_DASH = "\u2014 "


class NoteError(ValueError):
    """A note, a checkpoint or a verifier key is not what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: that its first `size` leaves have this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note, not yet checked."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name: `<name>+<key id>+<base64 of type and key>`."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        blob = decode(encoded, "verifier key")
        if blob[:1] != ED25519 or len(blob) != 33:
            raise NoteError(f"verifier key {name!r} is not an Ed25519 key")
        key = cls(check_name(name), blob[1:])
        if key.key_id.hex() != key_id:
            raise NoteError(
                f"verifier key {name!r} carries the id {key_id!r}, not {key.key_id.hex()}: mistyped?"
            )
        return key

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode(ED25519 + self.public)}"

    def made(self, signature: Signature) -> bool:
        """Whether the line claims this key; whether it is right is another question."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)

    def check(self, text: str, signature: Signature) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature.value, text.encode())
        except (InvalidSignature, ValueError):
            raise NoteError(f"the signature by {self.name} ({self.key_id.hex()}) is wrong") from None


class CheckpointSigner:
    """Signs checkpoints with one Ed25519 key under one key name."""

    def __init__(self, private_key: Ed25519PrivateKey, name: str) -> None:
        self._private = private_key
        self.key = VerifierKey(check_name(name), private_key.public_key().public_bytes_raw())
        self._line = f"{_DASH}{name} "
        self._key_id = self.key.key_id

    @property
    def vkey(self) -> str:
        return str(self.key)

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        text = Checkpoint(origin, size, root).text()
        return f"{text}\n{self.line(text)}".encode()

    def cosign(self, note: bytes) -> bytes:
        """The same note with this key's signature added below those it has."""
        text, _ = split(note)
        return note + self.line(text).encode()

    def line(self, text: str) -> str:
        return f"{self._line}{encode(self._key_id + self._private.sign(text.encode()))}\n"


def open_checkpoint(note: bytes, vkeys: Sequence[str]) -> Checkpoint:
    """Read a checkpoint that at least one of these keys signed and none of them signed wrongly."""
    text, signatures = split(note)
    if not signers(text, signatures, [VerifierKey.parse(vkey) for vkey in vkeys]):
        names = ", ".join(f"{s.name} ({s.key_id.hex()})" for s in signatures)
        raise NoteError(f"no trusted key signed this note; it is signed by {names}")
    return parse_checkpoint(text)


def signers(text: str, signatures: Iterable[Signature], keys: Sequence[VerifierKey]) -> list[VerifierKey]:
    """Those of the keys that signed. A wrong signature of a known key refuses the whole note."""
    found = []
    for signature in signatures:
        for key in keys:
            if key.made(signature):
                key.check(text, signature)
                found.append(key)
    return found


def split(note: bytes) -> tuple[str, tuple[Signature, ...]]:
    """A note's text and its signature lines, none of them checked yet."""
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError(f"a note of {len(note)} bytes; more than {MAX_NOTE_BYTES} are refused")
    whole = _decode_text(note)
    text, gap, lines = whole.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise NoteError("a note is text, an empty line and signature lines, each with its newline")
    signatures = tuple(_parse_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise NoteError(f"a note with {len(signatures)} signatures; more than {MAX_SIGNATURES} are refused")
    return text + "\n", signatures


def split_all(notes: bytes) -> list[bytes]:
    """The single notes of a file that holds several, one after the other."""
    found: list[list[bytes]] = []
    signed = True
    for line in notes.splitlines(keepends=True):
        is_signature = line.startswith(_DASH.encode())
        if signed and not is_signature:
            found.append([])
        if not found:
            raise NoteError("a note does not begin with a signature")
        found[-1].append(line)
        signed = is_signature
    return [b"".join(lines) for lines in found]


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text. Extension lines are refused: nothing of ours writes them."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise NoteError("a checkpoint is three lines: origin, size and root hash")
    origin, size, encoded = lines[:3]
    if not (size.isascii() and size.isdigit()) or size != str(int(size[:20])):
        raise NoteError(f"{size[:40]!r} is not the size of a tree")
    root = decode(encoded, "root hash")
    if len(root) != 32:
        raise NoteError(f"a root hash of {len(root)} bytes; SHA-256 has 32")
    return Checkpoint(origin, int(size), root)


def check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise NoteError(f"a key name has no spaces, no plus sign and is not empty; {name!r} cannot be one")
    return name


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(text: str, what: str) -> bytes:
    """Base64 in its one canonical spelling: two spellings of one signature would be two notes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or encode(data) != text:
        raise NoteError(f"{text[:60]!r} is not the base64 of a {what}")
    return data


def _decode_text(note: bytes) -> str:
    try:
        text = note.decode()
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8 text; these bytes are not") from None
    if any(c < " " and c != "\n" for c in text):
        raise NoteError("a note has no control characters other than newlines")
    return text


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise NoteError(f"{line[:60]!r} is not a signature line")
    blob = decode(encoded, "signature")
    if len(blob) < 5:
        raise NoteError(f"a signature of {len(blob)} bytes by {name!r} is too short")
    return Signature(check_name(name), blob[:4], blob[4:])
