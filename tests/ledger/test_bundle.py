from __future__ import annotations

import base64
import importlib.util
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertengine.core import merkle
from alertengine.core.model import canonical, rfc3339
from alertengine.ledger import bundle as bundles
from alertengine.ledger.bundle import Anchor, Bundle, BundleError, Entry
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.sentences import sentences

NAME = "alerts.example.com/log"
ORIGIN = f"{NAME}/t_1"
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"1" * 32), NAME)
STRANGER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"2" * 32), NAME)
NASTY = '</script><script>alert(1)</script> \\u003c \\ "quoted" \u2028 ü <b>'


def body(incident: str, seq: int, before: str) -> bytes:
    event = {
        "tenant_id": "t_1",
        "incident_id": incident,
        "seq": seq,
        "at": rfc3339(datetime(2026, 11, 24, 9, 41, seq, tzinfo=UTC)),
        "type": "incident_detected" if seq == 1 else "alert_queued",
        "actor": {"kind": "system", "id": "alertengine", "name": "AlertEngine"},
        "data": {"service": "payments", "title": NASTY, "n": seq},
        "salt": f"{seq:032x}",
        "prev_hash": before,
    }
    return canonical(event)


class Log:
    """Two incidents whose events alternate in one tree."""

    def __init__(self, events: int = 6) -> None:
        self.frontier = merkle.Frontier()
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.heads = {"inc_1": "", "inc_2": ""}
        self.bodies: dict[str, list[tuple[int, bytes]]] = {"inc_1": [], "inc_2": []}
        self.roots: list[bytes] = []
        for n in range(events):
            for incident in ("inc_1", "inc_2"):
                self.add(incident, body(incident, n + 1, self.heads[incident]))

    def add(self, incident: str, data: bytes) -> None:
        leaf = merkle.leaf_hash(data)
        self.heads[incident] = leaf.hex()
        self.bodies[incident].append((self.frontier.size, data))
        self.nodes.update({(level, index): h for level, index, h in self.frontier.append(leaf)})
        self.roots.append(self.frontier.root())

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def bundle(self, incident: str = "inc_1", signer: CheckpointSigner = SIGNER) -> Bundle:
        size = self.frontier.size
        return Bundle(
            tenant_id="t_1",
            incident_id=incident,
            checkpoint=signer.sign(ORIGIN, size, self.frontier.root()),
            vkeys=(signer.vkey,),
            entries=tuple(
                Entry(index, data, tuple(merkle.inclusion_proof(self.node, index, size)))
                for index, data in self.bodies[incident]
            ),
            anchors=(
                Anchor(5, self.roots[4], tuple(merkle.consistency_proof(self.node, 5, size))),
                Anchor(size, self.roots[-1], ()),
            ),
        )


LOG = Log()
BUNDLE = LOG.bundle()
FILE = bundles.render(BUNDLE)


def test_a_bundle_proves_its_events() -> None:
    evidence = bundles.check(FILE, [SIGNER.vkey])
    assert (evidence.tenant_id, evidence.incident_id, evidence.trusted) == ("t_1", "inc_1", True)
    assert [event["seq"] for event in evidence.events] == [1, 2, 3, 4, 5, 6]
    assert evidence.events[0]["data"]["title"] == NASTY
    assert evidence.checkpoint.size == 12


def test_a_bundle_survives_its_file() -> None:
    assert bundles.read(FILE) == BUNDLE


def test_without_a_key_of_the_readers_own_the_evidence_says_so() -> None:
    assert not bundles.check(FILE).trusted


def test_a_bundle_signed_by_another_key_is_refused() -> None:
    forged = bundles.render(LOG.bundle(signer=STRANGER))
    assert not bundles.check(forged).trusted
    with pytest.raises(BundleError, match="no trusted key"):
        bundles.check(forged, [SIGNER.vkey])


def test_the_page_shows_the_events_and_nothing_of_them_is_markup() -> None:
    page = FILE.decode()
    assert page.count("<script") == page.count("</script>") == 1
    assert "<b>" not in page
    assert "alert queued" in page
    assert "2026-11-24T09:41:03.000000Z" in page
    assert SIGNER.vkey in page


def test_nothing_of_another_incident_is_in_the_bundle() -> None:
    assert b"inc_2" not in FILE


def drop(n: int) -> Callable[[Bundle], Bundle]:
    return lambda b: replace(b, entries=b.entries[:n] + b.entries[n + 1 :])


def swap(b: Bundle) -> Bundle:
    return replace(b, entries=(b.entries[0], b.entries[2], b.entries[1], *b.entries[3:]))


def edit(b: Bundle) -> Bundle:
    changed = replace(b.entries[2], body=b.entries[2].body.replace(b"alert_queued", b"alert_read"))
    return replace(b, entries=(*b.entries[:2], changed, *b.entries[3:]))


def foreign(b: Bundle) -> Bundle:
    return replace(b, entries=LOG.bundle("inc_2").entries)


def bad_anchor(b: Bundle) -> Bundle:
    return replace(b, anchors=(replace(b.anchors[0], root=LOG.roots[5]),))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop(0), "entry 2: seq is 2, expected 1"),
        (drop(3), "entry 8: seq is 5, expected 4"),
        (swap, "entry 4: seq is 3, expected 2"),
        (edit, "entry 4 is not in the log"),
        (foreign, "incident_id is 'inc_2'"),
        (bad_anchor, "seen at size 5"),
        (lambda b: replace(b, entries=()), "no events"),
        (lambda b: replace(b, tenant_id="t_2"), "tenant_id is 't_1'"),
        (lambda b: replace(b, entries=(replace(b.entries[0], index=1), *b.entries[1:])), "entry 1 is not"),
    ],
)
def test_a_changed_bundle_is_refused_with_the_place(change: Callable[[Bundle], Bundle], reason: str) -> None:
    changed = change(BUNDLE)
    data = bundles.render(changed) if changed.entries else payload_replaced(changed)
    with pytest.raises(BundleError, match=reason):
        bundles.check(data, [SIGNER.vkey])


def payload_replaced(changed: Bundle) -> bytes:
    before, mark, rest = FILE.decode().partition('id="bundle">\n')
    payload = json.dumps(bundles._to_json(changed)).replace("<", "\\u003c")
    return (before + mark + payload + "\n</script>" + rest.partition("\n</script>")[2]).encode()


def test_a_dropped_last_event_leaves_a_true_but_shorter_bundle() -> None:
    """The log's head alone cannot show that an incident went on: the whole log can (`ledger verify`)."""
    assert len(bundles.check(bundles.render(drop(5)(BUNDLE)), [SIGNER.vkey]).events) == 5


def test_the_account_is_told_in_sentences() -> None:
    account = FILE.decode().partition('<script type="application/json"')[0]
    diagnosis = {"cause": "pool_exhaustion", "confidence": 0.91, "source": "rules", "again": {"previous": 1}}
    told = list(
        sentences({"type": "diagnosis_completed", "data": diagnosis | {"evidence": [{"text": "a wait"}]}})
    )

    assert "Noticed: &lt;/script&gt;" in account
    assert "The message" not in account  # an event without its facts is named alone
    assert "{" not in account.partition("</style>")[2]
    assert told == ["Diagnosed: likely pool exhaustion (91 % sure, by rules).", "Measured: a wait."]
    assert list(sentences({"type": "later_kind", "data": {"a": {}}})) == ["Later kind."]


def test_a_changed_account_is_refused() -> None:
    with pytest.raises(BundleError, match="readable account"):
        bundles.check(FILE.replace(b"alert queued", b"alert read", 1), [SIGNER.vkey])


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_byte_of_the_file_can_change(at: int, mask: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= mask
    with pytest.raises(BundleError):
        bundles.check(bytes(changed), [SIGNER.vkey])


def values(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [p for key, value in node.items() for p in values(value, (*path, key))]
    if isinstance(node, list):
        return [p for n, value in enumerate(node) for p in values(value, (*path, n))]
    return [path]


@pytest.mark.parametrize("junk", [None, True, -1, 10**400, 1.5, "x", [], {}], ids=repr)
def test_junk_in_any_place_is_refused_and_never_crashes(junk: Any) -> None:
    whole = bundles._to_json(BUNDLE)
    for path in values(whole):
        data = json.loads(json.dumps(whole))
        node = data
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = junk
        page = f'<script type="application/json" id="bundle">\n{json.dumps(data)}\n</script>'
        with pytest.raises(BundleError):
            bundles.check(page.encode(), [SIGNER.vkey])


@given(st.binary(max_size=100))
def test_foreign_bytes_are_refused_and_never_crash(data: bytes) -> None:
    for candidate in (data, b'<script type="application/json" id="bundle">\n' + data + b"\n</script>"):
        with pytest.raises(BundleError):
            bundles.check(candidate)


def test_a_key_named_twice_is_refused() -> None:
    with pytest.raises(BundleError, match="twice"):
        bundles.check(FILE.replace(b'"format"', b'"format": 1, "format"'))


@pytest.fixture(scope="module")
def one_page() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "examples" / "verify_bundle.py"
    spec = importlib.util.spec_from_file_location("verify_bundle", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_one_page_verifier_agrees(one_page: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    one_page.verify(FILE.decode(), SIGNER.vkey)
    assert len(capsys.readouterr().out.splitlines()) == 6
    with pytest.raises(SystemExit, match="did not sign"):
        one_page.verify(FILE.decode(), STRANGER.vkey)
    for change in (drop(0), drop(3), swap, edit, foreign):
        with pytest.raises(SystemExit):
            one_page.verify(bundles.render(change(BUNDLE)).decode(), SIGNER.vkey)


def test_the_one_page_verifier_finds_what_ours_finds(one_page: ModuleType) -> None:
    chance = random.Random(7)  # the same 300 edits each time
    proved = base64.b64encode(LOG.roots[-1]).decode()
    start, end = FILE.index(b'"checkpoint"'), FILE.index(b'"anchors"')
    for _ in range(300):
        changed = bytearray(FILE)
        changed[chance.randrange(start, end)] ^= 1 << chance.randrange(7)
        try:
            one_page.verify(changed.decode(), SIGNER.vkey)
        except (SystemExit, ValueError, KeyError, IndexError, TypeError, InvalidSignature):
            continue
        # What is left are edits of space between JSON values and of the key printed in the file.
        assert json.loads(bundles.account.payload_of(changed.decode()))["checkpoint"].split("\n")[2] == proved


def test_the_one_page_verifier_is_a_page() -> None:
    path = Path(__file__).resolve().parents[2] / "examples" / "verify_bundle.py"
    assert len(path.read_text().splitlines()) <= 80
