"""`alertengine dlq`."""

from __future__ import annotations

import json
import sqlite3

from cli.conftest import Cli


def test_there_is_none_at_first(cli: Cli) -> None:
    cli.onboard()

    assert "no dead letter" in cli("dlq", "list").stderr
    assert cli.json("dlq", "list") == {"dead_letters": []}


def test_a_dead_letter_is_shown_with_its_reason_and_tried_again(cli: Cli) -> None:
    cli.rehearse()
    with sqlite3.connect(cli.data / "alertengine.db") as db:
        db.execute("UPDATE delivery SET state = 'dead'")
        db.execute("UPDATE attempt SET outcome = 'dead', error = 'the token is not accepted'")
    db.close()
    assert "the token is" in cli("dlq", "list").stdout
    [letter] = cli.json("dlq", "list")["dead_letters"]
    assert letter["contact"] == "Tariro"

    out = cli("dlq", "retry", letter["id"], "--json").stdout
    assert json.loads(out[out.index("{\n") :])["retried"] is True
    assert cli.json("dlq", "list") == {"dead_letters": []}


def test_an_unknown_letter_is_told(cli: Cli) -> None:
    cli.onboard()

    assert "no dead letter msg_none" in cli("dlq", "retry", "msg_none", code=1).stderr
