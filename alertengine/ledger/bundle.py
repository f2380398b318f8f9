"""The evidence bundle: one incident's events with everything an outsider needs to check them.

A bundle is one HTML file. People read and print it; the JSON object in its only script element holds the
events' exact bytes, their inclusion proofs, the signed checkpoint and the public key. docs/ledger.md has the
format and a verifier of one page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alertengine.core import merkle
from alertengine.ledger import account
from alertengine.ledger.note import Checkpoint, NoteError, decode, encode, open_checkpoint

FORMAT = "alertengine-bundle/1"
MAX_BYTES = 256 << 20


class BundleError(ValueError):
    """A bundle does not hold; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: its place in the log, its exact bytes and the hashes that lead to the root."""

    index: int
    body: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The log's head as somebody saw it earlier, and the proof that the checkpoint's log extends it."""

    size: int
    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    tenant_id: str
    incident_id: str
    checkpoint: bytes
    vkeys: tuple[str, ...]
    entries: tuple[Entry, ...]
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a bundle proves once it was checked."""

    tenant_id: str
    incident_id: str
    checkpoint: Checkpoint
    vkeys: tuple[str, ...]
    trusted: bool
    """Whether the key came from the reader. If not, it came from the bundle itself."""
    events: tuple[dict[str, Any], ...]


def render(bundle: Bundle) -> bytes:
    """The bundle's file. The same bundle gives the same bytes, so a changed account is found."""
    events = [_parse_body(entry) for entry in bundle.entries]
    payload = json.dumps(_to_json(bundle), ensure_ascii=False, indent=1)
    return account.page(
        account.Account(
            tenant_id=bundle.tenant_id,
            incident_id=bundle.incident_id,
            events=events,
            hashes=[merkle.leaf_hash(entry.body).hex() for entry in bundle.entries],
            checkpoint=bundle.checkpoint.decode(),
            vkeys=bundle.vkeys,
            payload=payload,
        )
    ).encode()


def read(data: bytes) -> Bundle:
    """Take a bundle apart. Nothing in it is proved by that; `check` does."""
    if len(data) > MAX_BYTES:
        raise BundleError(f"a bundle of {len(data)} bytes; more than {MAX_BYTES} are refused")
    try:
        payload = account.payload_of(data.decode())
        return _from_json(json.loads(payload, object_pairs_hook=_no_duplicates))
    except BundleError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "a field is missing or of another type"
        raise BundleError(f"this is not a bundle of the form {FORMAT}: {why}") from None


def check(data: bytes, vkeys: Sequence[str] = ()) -> Evidence:
    """Verify all that a bundle claims, with these keys or else with its own. Raises BundleError."""
    bundle = read(data)
    try:
        head = open_checkpoint(bundle.checkpoint, vkeys or bundle.vkeys)
    except NoteError as error:
        raise BundleError(f"the checkpoint does not hold: {error}") from None
    for entry in bundle.entries:  # before the chain, which an altered event breaks only at the one after it
        _check_entry(entry, head)
    _check_chain(bundle)
    for anchor in bundle.anchors:
        _check_anchor(anchor, head)
    if render(bundle) != data:
        raise BundleError("the readable account is not the one that these events give: do not trust its text")
    events = tuple(_parse_body(entry) for entry in bundle.entries)
    return Evidence(bundle.tenant_id, bundle.incident_id, head, bundle.vkeys, bool(vkeys), events)


def _check_entry(entry: Entry, head: Checkpoint) -> None:
    try:
        merkle.verify_inclusion(merkle.leaf_hash(entry.body), entry.index, head.size, entry.proof, head.root)
    except merkle.ProofError as error:
        raise BundleError(f"entry {entry.index} is not in the log as shown: {error}") from None


def _check_anchor(anchor: Anchor, head: Checkpoint) -> None:
    try:
        merkle.verify_consistency(anchor.size, head.size, anchor.proof, anchor.root, head.root)
    except merkle.ProofError as error:
        raise BundleError(f"the log does not extend the head seen at size {anchor.size}: {error}") from None


def _check_chain(bundle: Bundle) -> None:
    """The incident's own chain: its first event is there, and none is missing or moved up to the last."""
    if not bundle.entries:
        raise BundleError("the bundle holds no events")
    before, index = "", -1
    for seq, entry in enumerate(bundle.entries, start=1):
        event = _parse_body(entry)
        expected = {
            "tenant_id": bundle.tenant_id,
            "incident_id": bundle.incident_id,
            "seq": seq,
            "prev_hash": before,
        }
        for name, value in expected.items():
            if event.get(name) != value:
                raise BundleError(f"entry {entry.index}: {name} is {event.get(name)!r}, expected {value!r}")
        if entry.index <= index:
            raise BundleError(f"entry {entry.index} stands after entry {index}")
        before, index = merkle.leaf_hash(entry.body).hex(), entry.index


def _parse_body(entry: Entry) -> dict[str, Any]:
    try:
        event = json.loads(entry.body, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"entry {entry.index} is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise BundleError(f"entry {entry.index} is not a JSON object")
    return event


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BundleError("a JSON object names one key twice: readers would differ about it")
    return found


def _to_json(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "tenant_id": bundle.tenant_id,
        "incident_id": bundle.incident_id,
        "checkpoint": bundle.checkpoint.decode(),
        "vkeys": list(bundle.vkeys),
        "events": [
            {"index": e.index, "body": e.body.decode(), "proof": [encode(h) for h in e.proof]}
            for e in bundle.entries
        ],
        "anchors": [
            {"size": a.size, "root": encode(a.root), "proof": [encode(h) for h in a.proof]}
            for a in bundle.anchors
        ],
    }


def _from_json(data: dict[str, Any]) -> Bundle:
    if data["format"] != FORMAT:
        raise BundleError(f"this bundle's form is {data['format']!r}; this program reads {FORMAT}")
    return Bundle(
        tenant_id=_text(data["tenant_id"]),
        incident_id=_text(data["incident_id"]),
        checkpoint=data["checkpoint"].encode(),
        vkeys=tuple(_text(vkey) for vkey in data["vkeys"]),
        entries=tuple(
            Entry(_number(e["index"]), e["body"].encode(), _hashes(e["proof"])) for e in data["events"]
        ),
        anchors=tuple(
            Anchor(_number(a["size"]), decode(a["root"], "root hash"), _hashes(a["proof"]))
            for a in data["anchors"]
        ),
    )


def _hashes(encoded: list[str]) -> tuple[bytes, ...]:
    return tuple(decode(text, "proof hash") for text in encoded)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value
