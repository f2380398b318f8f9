"""What the documents say is what there is."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import tomllib

from alertengine import registry
from alertengine.core.events import EventType, Stage
from alertengine.web.app import create_app
from alertengine.web.bodies import OnboardBody
from world import World

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("kind", list(EventType))
def test_every_event_type_is_documented(kind: EventType) -> None:
    assert f"| `{kind}` |" in read("docs/events.md")


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_is_documented(stage: Stage) -> None:
    assert f"`{stage}`" in read("docs/events.md")


async def test_every_operation_is_documented_and_no_other(world: World) -> None:
    paths = create_app(world.engine, "key").openapi()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    told = set(re.findall(r"\| `((?:GET|POST|PATCH|DELETE) /[^`]*)` \|", read("docs/http.md")))

    assert told == {operation for operation in there if not operation.startswith("HEAD")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [t for t in targets if "://" not in t and not t.startswith("mailto:")]

    assert [t for t in local if not (document.parent / t).exists()] == []


def test_readme_begins_with_the_two_commands() -> None:
    blocks = re.findall(r"```\n(.*?)\n```", read("README.md"), re.DOTALL)

    assert blocks[0] == "pip install ./sdk . && alertengine demo"
    assert blocks[1] == "pip install ./sdk '.[test]' && pytest"


def test_the_example_of_onboarding_is_taken_and_each_field_told() -> None:
    said = read("docs/http.md")
    example = re.search(r"<<'JSON'\n(.*?)\nJSON", said, re.DOTALL)
    assert example
    OnboardBody.model_validate_json(example[1])
    assert [name for name in OnboardBody.model_fields if f"`{name}`" not in said] == []


def test_commands_in_readme_exist() -> None:
    from typer.main import get_command

    from alertengine.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = re.findall(r"(?:^|`| )alertengine ([a-z-]+)", read("README.md"), re.MULTILINE)

    assert set(used) <= known


@pytest.mark.parametrize("table", [registry.CHANNELS, registry.ACTIONS], ids=["channels", "actions"])
def test_every_kind_s_example_is_valid(table: dict[str, str]) -> None:
    for kind in table:
        section = tomllib.loads(registry.example(table, kind))
        ((_, named),) = section.items()
        ((_, given),) = named.items()
        registry.config_model(table, kind).model_validate(given)


def test_every_registered_class_can_be_loaded() -> None:
    for table in (
        registry.CHANNELS,
        registry.ACTIONS,
        registry.DIAGNOSERS,
        registry.SOURCES,
        registry.STORES,
    ):
        assert all(registry.load(table, kind) for kind in table)


def test_the_example_app_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi_alertengine")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = import_module("fastapi_app")

    assert shlex.split("uvicorn fastapi_app:app")[1] in read("examples/fastapi_app.py")
    assert module.app.title == "shop"
