"""`init` and `check`: the configuration's first text, and what is in force."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import tomllib
from pydantic.fields import FieldInfo

from alertengine import registry
from alertengine.app import load_settings
from alertengine.cli.meanings import LISTED, MEANINGS, sections
from alertengine.cli.settings_reference import LISTS
from alertengine.cli.template import STEPS, template
from alertengine.errors import ConfigError


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (?=[\w]+ = )", "", text)


def test_init_writes_a_file_that_works_for_its_owner_alone(cli: Any, tmp_path: Path) -> None:
    cli("init")
    file = tmp_path / "alertengine.toml"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = tomllib.loads(file.read_text())["auth"]["secret"]
    assert len(secret) >= 32
    assert load_settings(file, {}, {}).auth.secret.get_secret_value() == secret  # type: ignore[union-attr]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alertengine.toml"]


def test_init_refuses_to_replace_unless_told_to(cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "alertengine.toml"
    file.write_text("# mine\n")
    said = cli("init", code=2).stderr

    assert "--force" in said
    assert file.read_text() == "# mine\n"
    cli("init", "--force")
    assert "secret =" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_init_says_where_it_cannot_write(cli: Any) -> None:
    assert "cannot be written" in cli("init", "--config", "/nowhere/at/all.toml", code=2).stderr


def test_two_secrets_are_never_the_same(cli: Any, tmp_path: Path) -> None:
    cli("init", "--config", "a.toml")
    cli("init", "--config", "b.toml")
    assert (tmp_path / "a.toml").read_text() != (tmp_path / "b.toml").read_text()


def default_of(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True)


def test_the_template_holds_every_key_with_its_default() -> None:
    said = tomllib.loads(uncommented(template().partition("# Channels:")[0]))
    for name, model in sections().items():
        plain = {k for k, f in model.model_fields.items() if not isinstance(default_of(f), list)}
        assert said[name].keys() == plain
        for key, field in model.model_fields.items():
            if field.default is not None and isinstance(field.default, (int, float, str)):
                assert said[name][key] == field.default, f"{name}.{key}"


def test_every_setting_has_a_meaning() -> None:
    """Each key needs a sentence in `MEANINGS` (cli/meanings.py)."""
    keys = {f"{name}.{key}" for name, model in sections().items() for key in model.model_fields}
    assert keys - MEANINGS.keys() == set()
    assert MEANINGS.keys() - keys == set()
    listed = {f"policy.{name}.{key}" for name, model in LISTS.items() for key in model.model_fields}
    assert listed == LISTED.keys()


def test_the_examples_of_tables_that_there_may_be_many_of_load(tmp_path: Path) -> None:
    file = tmp_path / "alertengine.toml"
    called = (
        '[channels.voice_twilio]\nkind = "voice_twilio"\naccount_sid = "AC00000000000000000000000000000000"\n'
    )
    called += 'auth_token = "t"\nfrom = "+15005550006"\n'
    shown = STEPS.partition("\n#\n")[2]
    file.write_text(called + re.sub("(?m)^# ?", "", shown))
    policy = load_settings(file, {}, {}).policy.policy()
    assert [step.after_s for step in policy.steps] == [0, 180]
    assert policy.overrides[0].steps[1].channels == ("all",)
    assert policy.quiet[0].who == ("Rudo",)


@pytest.mark.parametrize("secret", [None, "0123456789abcdefghijklmnopqrstuvwxyz"])
def test_the_template_loads(tmp_path: Path, secret: str | None) -> None:
    file = tmp_path / "alertengine.toml"
    file.write_text(template(secret))
    settings = load_settings(file, {}, {})

    assert list(settings.channels) == ["console"]
    assert (settings.auth.secret is not None) is bool(secret)


KINDS = [
    *(pytest.param("channels", kind, id=kind) for kind in registry.CHANNELS),
    *(pytest.param("actions", kind, id=kind) for kind in registry.ACTIONS),
]


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_each_example_stands_in_the_template_and_loads(tmp_path: Path, table: str, kind: str) -> None:
    example = registry.example({"channels": registry.CHANNELS, "actions": registry.ACTIONS}[table], kind)
    file = tmp_path / "alertengine.toml"
    file.write_text(example.replace("...", "0" * 32))

    assert example in re.sub(r"(?m)^# ?", "", template())
    loaded = getattr(load_settings(file, {}, {}), table)
    assert [section.kind for section in loaded.values()] == [kind]


def rows(cli: Any, *args: str) -> dict[str, Any]:
    return {row["key"]: (row["value"], row["source"]) for row in cli.json("check", *args)["settings"]}


def test_check_tells_each_value_and_its_source(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alertengine.toml").write_text("[server]\nport = 9100\n[poll]\ninterval_s = 7\n")
    monkeypatch.setenv("LOOP_INTERVAL_S", "2")
    monkeypatch.setenv("ALERTENGINE_POLICY__COOLDOWN_S", "60")
    found = rows(cli)

    assert found["server.port"] == (9100, "file")
    assert found["poll.interval_s"] == (2.0, "environment")
    assert found["policy.cooldown_s"] == (60.0, "environment")
    assert found["server.host"] == ("127.0.0.1", "default")
    assert found["server.base_url"] == ("http://127.0.0.1:9100", "default")
    assert found["data_dir"] == (str(cli.data), "flag")
    assert found["auth.admin_key"] == (str(cli.data / "admin_key"), "generated")
    assert found.keys() >= {f"{n}.{k}" for n, model in sections().items() for k in model.model_fields}


CANARY = "canary0123456789abcdefghijklmnop"


def test_check_shows_no_secret(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTENGINE_ADMIN_KEY", CANARY)
    kept = tmp_path / "kept"
    kept.write_text(f"whsec_{CANARY}")
    kept.chmod(0o600)
    (tmp_path / "alertengine.toml").write_text(f"""
[auth]
secret = "{CANARY}"
[channels."ops.night"]
kind = "webhook"
url = "https://user:{CANARY}@ops.example.com/x?token={CANARY}"
secret_file = "kept"
[actions.restart]
kind = "command"
argv = ["/bin/true", "--password={CANARY}"]
env = {{ PASSWORD = "{CANARY}" }}
""")
    both = cli("check").stdout + cli("check", "--json").stdout
    found = rows(cli)

    assert CANARY not in both
    assert found["channels.ops.night.secret"] == ("[hidden]", "file")
    assert found["actions.restart.env"] == ({"PASSWORD": "[hidden]"}, "file")
    assert found["auth.admin_key"] == ("[hidden]", "environment")


def test_check_lists_every_problem_with_its_key(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_INTERVAL_S", "often")
    (tmp_path / "alertengine.toml").write_text(
        '[server]\nport = "x"\nprot = 1\n[surprise]\n[channels.a]\nkind = "pigeon"\n'
        '[channels.b]\ncost = 1\n[plans.x]\nchannels = ["fax"]\n'
        '[[policy.steps]]\nafter_s = 0\nchannels = ["voice_twilio"]\n'
    )
    result = cli("check", code=2)
    told = cli.json("check", code=2)

    assert result.stdout == ""
    for key in ("server.port", "server.prot", "surprise", "channels.a.kind"):
        assert f"  {key}" in result.stderr
        assert any(problem.startswith(key) for problem in told["problems"])
    assert "did you mean port?" in result.stderr
    assert "(LOOP_INTERVAL_S in the environment)" in result.stderr
    assert "'pigeon' is not a kind of channels; there are apprise, console" in result.stderr
    assert "channels.b.kind: is missing; there are apprise" in result.stderr
    assert "'fax' is not a kind" in result.stderr
    assert "there is no channel 'voice_twilio'" in result.stderr
    assert told["ok"] is False


@pytest.mark.parametrize("command", ["serve", "status", "incidents"])
def test_nothing_starts_on_a_configuration_with_problems(cli: Any, tmp_path: Path, command: str) -> None:
    (tmp_path / "alertengine.toml").write_text("[server]\nprot = 1\n")
    assert "server.prot" in cli(command, code=2).stderr
    assert not cli.data.exists()


def test_a_file_that_others_can_read_is_pointed_out(cli: Any, tmp_path: Path) -> None:
    cli("init")
    assert "chmod" not in cli("check").stderr
    (tmp_path / "alertengine.toml").chmod(0o644)
    assert "chmod 600" in cli("check").stderr


def test_a_missing_file_is_named(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "ALERTENGINE_CONFIG", "/nowhere.toml")
    assert "/nowhere.toml" in cli("check", code=2).stderr


def test_what_a_request_is_worth_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "worth.toml"
    file.write_text('[services.payments.value]\n"POST /pay" = { amount = 3.5, currency = "dollars" }\n')

    with pytest.raises(ConfigError, match=r"services\.payments\.value\.POST /pay\.currency"):
        load_settings(file, {"HOME": str(tmp_path)}, {})


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[[policy.steps]]\nafter_s = 5\nwho = ["Tariro"]', "the first message: after_s = 0"),
        ("[[policy.steps]]\nafter_s = 0\n[[policy.steps]]\nafter_s = 0", "must be more than the 0"),
        ('[[policy.steps]]\nafter_s = 0\nchannels = ["pigeon"]', "there is no channel 'pigeon'"),
        ("[[policy.steps]]\nafter_s = 0\nwho = []", "policy.steps.0.who"),
        ('[[policy.quiet]]\nbegins = "22:00"\nends = "06:00"\nzone = "Mars/Olympus"', "not a time zone"),
        ('[[policy.quiet]]\nbegins = "22:00"\nends = "26:00"', "policy.quiet.0.ends"),
        ("[policy]\nspend_cap = -1", "policy.spend_cap"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(cli: Any, tmp_path: Path, table: str, problem: str) -> None:
    (tmp_path / "alertengine.toml").write_text(f"{table}\n")
    assert problem in cli("check", "--config", str(tmp_path / "alertengine.toml"), code=2).stderr


def test_init_beside_a_store_keeps_the_secret_that_sealed_it(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret").write_text("x" * 48)
    said = cli("init").stderr
    assert "is in use already" in said
    lines = (tmp_path / "alertengine.toml").read_text().splitlines()
    assert not [line for line in lines if line.startswith("secret")]


def test_a_command_that_reads_makes_no_data_directory(cli: Any, tmp_path: Path) -> None:
    assert "no incident yet" in cli("incidents").stderr
    assert cli.json("status")["mode"] == "NORMAL"
    cli("audit", "inc_1", code=1)
    cli("ledger", "verify", code=1)
    assert not (tmp_path / "data").exists()
