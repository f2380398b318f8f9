"""Notes and checkpoints, byte for byte as c2sp.org/signed-note and c2sp.org/tlog-checkpoint have them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from alertengine.ledger import note
from alertengine.ledger.note import Checkpoint, CheckpointSigner, NoteError, VerifierKey, open_checkpoint

ORIGIN = "alerts.example.com/log/t_1"
NAME = "alerts.example.com/log"
ROOT = bytes(range(32))
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"1" * 32), NAME)
OTHER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"2" * 32), NAME)
NOTE = SIGNER.sign(ORIGIN, 4711, ROOT)

# A note and a verifier key that another implementation published.
FOREIGN_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOREIGN_SIGNATURE = (
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
)
FOREIGN_NOTE = f"This is an example message.\n\n— example.com/foo {FOREIGN_SIGNATURE}\n".encode()


def test_a_checkpoint_is_these_bytes() -> None:
    text, blank, signature = NOTE.decode().partition("\n\n")
    assert text == f"{ORIGIN}\n4711\n{base64.b64encode(ROOT).decode()}"
    assert blank == "\n\n"
    assert signature.startswith(f"— {NAME} ")
    assert signature.endswith("\n")
    assert base64.b64decode(signature.split(" ")[2])[:4] == SIGNER.key.key_id


def test_a_checkpoint_opens_with_its_key() -> None:
    assert open_checkpoint(NOTE, [SIGNER.vkey]) == Checkpoint(ORIGIN, 4711, ROOT)
    assert open_checkpoint(NOTE, [OTHER.vkey, SIGNER.vkey]).size == 4711


def test_the_empty_tree_has_a_checkpoint() -> None:
    assert open_checkpoint(SIGNER.sign(ORIGIN, 0, ROOT), [SIGNER.vkey]).size == 0


@pytest.mark.parametrize("vkeys", [[], [OTHER.vkey]])
def test_without_a_trusted_signature_a_checkpoint_is_refused(vkeys: list[str]) -> None:
    with pytest.raises(NoteError, match="no trusted key"):
        open_checkpoint(NOTE, vkeys)


def test_a_cosigned_note_opens_with_either_key() -> None:
    both = OTHER.cosign(NOTE)
    assert both.startswith(NOTE)
    for vkeys in ([SIGNER.vkey], [OTHER.vkey], [SIGNER.vkey, OTHER.vkey]):
        assert open_checkpoint(both, vkeys).root == ROOT


def test_one_wrong_signature_of_a_known_key_refuses_the_note() -> None:
    wrong = NOTE + OTHER.sign(ORIGIN, 4712, ROOT).split(b"\n\n")[1]
    assert open_checkpoint(wrong, [SIGNER.vkey]).size == 4711
    with pytest.raises(NoteError, match="is wrong"):
        open_checkpoint(wrong, [SIGNER.vkey, OTHER.vkey])


def test_a_note_from_elsewhere_opens() -> None:
    text, signatures = note.split(FOREIGN_NOTE)
    key = VerifierKey.parse(FOREIGN_KEY)
    assert text == "This is an example message.\n"
    assert note.signers(text, signatures, [key]) == [key]
    assert str(key) == FOREIGN_KEY


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_byte_can_change(at: int, mask: int) -> None:
    changed = bytearray(NOTE)
    changed[at] ^= mask
    with pytest.raises(NoteError):
        open_checkpoint(bytes(changed), [SIGNER.vkey])


@given(st.integers(0, len(NOTE) - 1))
def test_no_byte_can_go(at: int) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(NOTE[:at] + NOTE[at + 1 :], [SIGNER.vkey])
    with pytest.raises(NoteError):
        open_checkpoint(NOTE[:at], [SIGNER.vkey])


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_and_never_crash(data: bytes) -> None:
    for candidate in (data, NOTE + data, data + NOTE):
        if candidate != NOTE:
            with pytest.raises(NoteError):
                note.open_checkpoint(candidate, [SIGNER.vkey])


@pytest.mark.parametrize(
    "text",
    [
        "origin\n05\nAAAA\n",
        "origin\n-1\nAAAA\n",
        "origin\n٣\nAAAA\n",
        "origin\n\nAAAA\n",
        f"origin\n{'9' * 5000}\nAAAA\n",
        "origin\n5\nAAAA\n",
        "origin\n5\n!\n",
        f"\n5\n{note.encode(ROOT)}\n",
        f"origin\n5\n{note.encode(ROOT)}\nextension\n",
        f"origin\n5\n{note.encode(ROOT)[:-1]}\n",
        f"origin\n5\n{note.encode(ROOT)}",
        "origin\n5\n",
    ],
)
def test_a_text_that_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_checkpoint(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000+" + SIGNER.vkey.split("+")[2],
        SIGNER.vkey.replace(NAME, "other"),
        SIGNER.vkey[:-4],
        "n m" + SIGNER.vkey.removeprefix(NAME),
        f"{NAME}+00000000+" + note.encode(bytes([2]) + b"k" * 32),
    ],
)
def test_a_mistyped_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_a_key_name_without_form_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="key name"):
        CheckpointSigner(Ed25519PrivateKey.generate(), name)


def test_an_endless_note_is_refused() -> None:
    with pytest.raises(NoteError, match="more than"):
        note.split(b"x" * (note.MAX_NOTE_BYTES + 1))
    with pytest.raises(NoteError, match="65 signatures"):
        note.split(NOTE + b"\n".join([NOTE.split(b"\n\n")[1]] * 64).replace(b"\n\n", b"\n"))
