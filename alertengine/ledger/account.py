"""The readable side of an evidence bundle: an HTML page that needs no network, no script and prints well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from alertengine.ledger.sentences import sentences

_OPEN = '<script type="application/json" id="bundle">\n'
_CLOSE = "\n</script>"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums }
dl { margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; font-size: .875rem }
dt { color: #555 } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap }
pre, code { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
td p { margin: .25rem 0; overflow-wrap: anywhere; white-space: pre-wrap }
code.hash { color: #555; display: block }
@media print { body { margin: 0; max-width: none; font-size: 10pt } tr { break-inside: avoid }
 thead { display: table-header-group } }
"""


@dataclass(frozen=True, slots=True)
class Account:
    """What the page is drawn from; `payload` is the bundle's JSON."""

    tenant_id: str
    incident_id: str
    events: Sequence[Mapping[str, Any]]
    hashes: Sequence[str]
    checkpoint: str
    vkeys: Sequence[str]
    payload: str


def page(shown: Account) -> str:
    return "".join(_page(shown))


def payload_of(text: str) -> str:
    """The JSON inside a page made by `page`."""
    _, found, rest = text.partition(_OPEN)
    payload, closed, _ = rest.partition(_CLOSE)
    if not found or not closed:
        raise ValueError("no bundle inside")
    return payload


def _page(shown: Account) -> Iterator[str]:
    title = f"Incident {escape(shown.incident_id)}"
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    yield "style-src 'unsafe-inline'\">\n"
    yield f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n"
    yield from _summary(shown)
    yield "<h2>What happened</h2>\n<table>\n<thead><tr><th>Time (UTC)<th>What<th>By</thead>\n"
    for event, hashed in zip(shown.events, shown.hashes, strict=True):
        yield from _row(event, hashed)
    yield "</table>\n"
    yield from _proof(shown)
    # "<" never stands in the payload itself, so nothing in it can end the element early.
    yield _OPEN + shown.payload.replace("<", "\\u003c") + _CLOSE + "\n</html>\n"


def _summary(shown: Account) -> Iterator[str]:
    first, last = shown.events[0], shown.events[-1]
    facts = _mapping(first.get("data"))
    yield "<dl>\n"
    yield _fact("tenant", shown.tenant_id)
    named = [_mapping(event.get("data")).get("title") for event in shown.events]
    # What is wrong is called by the newest facts, as everywhere.
    facts = {**facts, "title": next((title for title in reversed(named) if title), None)}
    for name in ("service", "title", "severity"):
        if isinstance(facts.get(name), str):
            yield _fact(name, facts[name])
    yield _fact("first event", first.get("at", ""))
    yield _fact("last event", f"{last.get('at', '')}: {_words(last.get('type', ''))}")
    yield _fact("events", len(shown.events))
    yield "</dl>\n"


def _row(event: Mapping[str, Any], hashed: str) -> Iterator[str]:
    actor = _mapping(event.get("actor"))
    yield f'<tr><td class="time">{escape(str(event.get("at", "")))}'
    first, *more = sentences(event)
    yield f"<td><strong>{escape(first)}</strong>\n"
    for said in more:
        yield f"<p>{escape(said)}</p>\n"
    yield f'<code class="hash">{escape(hashed)}</code>'
    yield f"<td>{escape(str(actor.get('name', '')))} ({escape(str(actor.get('kind', '')))})\n"


def _proof(shown: Account) -> Iterator[str]:
    yield "<h2>How to check this record</h2>\n"
    yield "<p>This file carries the events' exact bytes and the proof that each is in the signed log below. "
    yield "<code>alertengine ledger verify-bundle FILE</code> checks it without network or database; the "
    yield "format is public, so that anybody can write a verifier. The text above is drawn from the proved "
    yield "events, and the check fails if it was changed; the log holds more of each event than is told. "
    yield "Compare the public key with the one you were given "
    yield "by another way.</p>\n"
    yield f"<h2>Signed checkpoint</h2>\n<pre>{escape(shown.checkpoint)}</pre>\n"
    yield "<h2>Public key</h2>\n"
    for vkey in shown.vkeys:
        yield f"<pre>{escape(vkey)}</pre>\n"


def _fact(name: str, value: object) -> str:
    return f"<dt>{escape(_words(name))}<dd>{escape(str(value))}\n"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(name: object) -> str:
    return str(name).replace("_", " ")
