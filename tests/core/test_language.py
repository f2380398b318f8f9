"""Every language says everything, with the same facts in it, and every sentence is one that the code says."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from alertengine.core import languages
from alertengine.core.diagnosis.model import CAUSES, FetchError
from alertengine.core.diagnosis.rules import diagnose
from alertengine.core.events import EventType
from alertengine.core.language import ENGLISH, LANGUAGES, placeholders, words
from alertengine.core.message import MessageKind
from alertengine.core.said import Figure, Said, recorded, retold, spoken
from alertengine.errors import NotAnApprover, TokenExpired
from alertengine.pipeline.findings import finding_json

PACKAGE = Path(languages.__file__).parent.parent.parent
OTHERS = [code for code in LANGUAGES if code != "en"]
SHIPPED = {"en", "pt", "fr", "sw", "sn"}
COUNTED = re.compile(r"\.(zero|one|two|few|many|other)$")
FAMILIES = (
    *("cause.", "trouble.", "measured.", "meanwhile.", "status.", "story.", "kind.", "result.", "health."),
    *(
        "reason.",
        "ran.",
        "unreachable.",
        "evidence.",
        "lead.",
        "check.",
        "fetch.",
        "fetch_check.",
        "summary.",
        "propose.",
        "model.why.",
        "refused.",
        "look.stage.",
        "look.state.",
        "look.risk.",
        "page.step.",
        "page.unrecordable.",
        "page.unknown.",
        "page.has_approved.",
    ),
)
"""Keys that are put together from a name: of a cause, a stage, an event."""
every_language = pytest.mark.parametrize("code", LANGUAGES)


def texts(code: str) -> dict[str, str]:
    return dict(import_module(f"{languages.__name__}.{code}").TEXTS)


def test_five_languages_are_shipped() -> None:
    assert set(LANGUAGES) >= SHIPPED


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_is_complete_and_has_the_same_placeholders(code: str) -> None:
    own, english = texts(code), texts("en")
    plain = {key for key in english if not COUNTED.search(key)}

    assert {key for key in own if not COUNTED.search(key)} == plain
    assert {key for key in plain if placeholders(own[key]) != placeholders(english[key])} == set()


@every_language
def test_a_sentence_that_counts_has_every_form_its_language_needs(code: str) -> None:
    own, plural = texts(code), words(code).plural
    forms = {plural(n) for n in range(201)}
    counted = {COUNTED.sub("", key) for key in texts("en") if COUNTED.search(key)}

    for key in counted:
        given = {form for form in forms if f"{key}.{form}" in own}
        assert given == forms, key
        expected = placeholders(texts("en")[f"{key}.other"])
        # "Once" says its number without naming it.
        assert all(placeholders(own[f"{key}.{form}"]) | {"n"} == expected | {"n"} for form in forms), key


@every_language
def test_nothing_is_empty_or_markup_or_left_in_english(code: str) -> None:
    own, english = texts(code), texts("en")
    same = {key for key in own if own[key] == english[key] and len(re.findall(r"[a-z]{3,}", own[key])) > 4}

    assert [key for key, text in own.items() if not text.strip() or re.search(r"[<>&\n]", text)] == []
    assert code == "en" or same == set()


def test_every_sentence_is_said_somewhere() -> None:
    code = "\n".join(
        path.read_text()
        for pattern in ("*.py", "*.html")
        for path in PACKAGE.rglob(pattern)
        if path.parent.name != "languages"
    )
    said = set(re.findall(r"[\"']([a-z_]+(?:\.[a-zA-Z_]+)*)[\"']", code))
    unsaid = {
        key
        for key in texts("en")
        if key not in said and COUNTED.sub("", key) not in said and not key.startswith(FAMILIES)
    }

    assert unsaid == set()


def test_every_cause_has_its_name_and_english_has_the_one_of_the_diagnosis() -> None:
    assert {name: texts("en")[f"cause.{name}"] for name in CAUSES} == dict(CAUSES)


def test_every_event_and_every_kind_of_message_has_its_words() -> None:
    assert all(ENGLISH.has(f"story.{event}") for event in EventType)
    assert all(ENGLISH.has(f"kind.{kind}") for kind in MessageKind)


@pytest.mark.parametrize(
    ("code", "seconds", "said"),
    [
        ("en", 0, "0 s"),
        ("en", 2.12, "2.1 s"),
        ("fr", 2.12, "2,1 s"),
        ("en", 59.7, "1 min"),
        ("en", 260, "4 min 20 s"),
        ("sw", 260, "dak 4 sek 20"),
        ("sn", 3600, "awa 1"),
        ("pt", 7380, "2 h 3 min"),
    ],
)
def test_a_duration_is_said_as_people_say_it(code: str, seconds: float, said: str) -> None:
    assert words(code).span(seconds) == said


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert (words("en").percent(0.002), words("fr").percent(0.002)) == ("0.2 %", "0,2 %")
    assert (words("en").number(12345), words("pt").number(12345)) == ("12,345", "12\u00a0345")
    assert words("fr").milliseconds(1300) == "1,3 s"


def test_a_label_before_a_link_has_its_languages_colon() -> None:
    labels = [f"{words(code)('button.review')}{words(code)('list.colon')}" for code in ("en", "fr")]
    assert [label[-2:] for label in labels] == ["e:", " :"]


def test_an_unknown_language_is_english() -> None:
    assert words("xx").code == words(None).code == "en"


def test_a_hostile_value_is_not_read_as_a_sentence() -> None:
    assert ENGLISH("message.closed", title="{command} {0} %s") == "Closed by a person: {command} {0} %s."


def test_a_refusal_is_said_again_in_another_language() -> None:
    french = words("fr")
    standing = Said("standing.authorized", {"who": "Rudo", "action": "a", "status": Said("status.started")})

    assert standing.by(french) == "Rudo a déjà autorisé a : démarré."
    assert retold(TokenExpired(), french) == french("refused.TOKEN_EXPIRED")
    assert retold(NotAnApprover(), ENGLISH) == str(NotAnApprover())
    assert retold(TokenExpired("its own words"), french) == "its own words"


def test_what_a_record_keeps_is_said_in_each_language() -> None:
    usual = Said("evidence.usual", {"value": Figure(2.5, "ms")})
    slow = Said("evidence.slow", {"route": "POST /pay", "now": Figure(2900, "ms"), "usual": usual})
    lead = Said("lead.auth_break", {"route": Said("some.routes")})
    kept = json.loads(json.dumps(recorded(summary=Said("summary.measured", {"lead": lead, "first": slow}))))

    assert kept["summary"] == spoken(kept, ENGLISH)["summary"]
    assert kept["summary"].endswith("Measured: POST /pay takes 2.9 s at P95 (usual 2.5 ms).")
    assert spoken(kept, words("fr"))["summary"] == (
        "Une partie des routes rejette des requêtes qui étaient acceptées avant."
        " Mesuré : POST /pay prend 2,9 s au P95 (d’habitude 2,5 ms)."
    )


@pytest.mark.parametrize(
    "said", [{"key": "no.such", "values": {}}, {"key": "evidence.slow", "values": {}}, 7, {}]
)
def test_what_another_release_kept_is_said_as_it_was_recorded(said: object) -> None:
    kept = {"reason": "as it was", "said": {"reason": said}}
    assert spoken(kept, words("fr")) == kept


@pytest.mark.parametrize("code", OTHERS)
def test_what_the_rules_say_is_in_the_language_and_in_no_other(code: str) -> None:
    report = json.loads((Path(__file__).parents[1] / "contract" / "health_report.json").read_text("utf-8"))
    for found in (diagnose(report), diagnose(None, FetchError(kind="refused")), diagnose({})):
        data = json.loads(json.dumps(finding_json(found)))
        told = spoken(data, words(code))
        texts = [(data["summary"], told["summary"]), (data["check_first"], told["check_first"])]
        texts += [(item["text"], spoken(item, words(code))["text"]) for item in data["evidence"]]
        assert all(english != said for english, said in texts)
