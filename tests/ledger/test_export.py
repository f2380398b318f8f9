from __future__ import annotations

import pytest
from ledger_file import OTHER, SIGNER, File

from alertengine.core.events import EventType
from alertengine.errors import NotFound
from alertengine.ledger import bundle
from alertengine.ledger.export import checkpoint_note, export_file, read_head
from alertengine.ledger.note import open_checkpoint


def test_an_incident_leaves_as_a_bundle_that_verifies(filled: File) -> None:
    data = bundle.render(export_file(filled.path, "inc_a", [SIGNER.vkey]))
    evidence = bundle.check(data, [SIGNER.vkey])
    assert [e["type"] for e in evidence.events] == [
        "incident_detected",
        *["alert_accepted"] * 3,
        "alert_failed",
    ]
    assert evidence.tenant_id == "t_1"
    with pytest.raises(bundle.BundleError, match="no trusted key"):
        bundle.check(data, [OTHER.vkey])


def test_a_bundle_proves_the_heads_that_messages_carried(filled: File) -> None:
    anchors = export_file(filled.path, "inc_a", [SIGNER.vkey]).anchors
    assert [anchor.size for anchor in anchors] == [1, 2, 3, 4, 8]
    assert anchors[-1].root == read_head(checkpoint_note(filled.db, "t_1")).root


def test_a_bundle_holds_nothing_of_other_incidents_and_tenants(filled: File) -> None:
    data = bundle.render(export_file(filled.path, "inc_a", [SIGNER.vkey]))
    for foreign in (b"inc_b", b"inc_c", b"t_2"):
        assert foreign not in data


def test_an_old_bundle_still_verifies_when_the_log_has_grown(filled: File) -> None:
    data = bundle.render(export_file(filled.path, "inc_b", [SIGNER.vkey]))
    filled.event("t_1", "inc_b", EventType.INCIDENT_RESOLVED)
    assert len(bundle.check(data, [SIGNER.vkey]).events) == 3
    assert len(export_file(filled.path, "inc_b", [SIGNER.vkey]).entries) == 4


def test_an_unknown_incident_has_no_bundle(filled: File) -> None:
    with pytest.raises(NotFound, match="inc_x"):
        export_file(filled.path, "inc_x", [SIGNER.vkey])


def test_the_stored_head_is_a_checkpoint_for_anybody(filled: File) -> None:
    head = open_checkpoint(checkpoint_note(filled.db, "t_2"), [SIGNER.vkey])
    assert (head.origin, head.size) == ("alerts.example.com/log/t_2", 2)
    with pytest.raises(NotFound):
        checkpoint_note(filled.db, "t_9")
