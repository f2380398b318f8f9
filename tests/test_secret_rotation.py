"""The daemon's secret is changed, and nothing that was signed or sealed with the old one is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertengine.app import load_settings
from alertengine.core.message import MessageKind
from alertengine.errors import ConfigError, TokenInvalid
from alertengine.passes import Pass, PassSigner, Purpose
from alertengine.pipeline import approve
from alertengine.pipeline.contacts import NewContact
from alertengine.pipeline.onboard import Application, onboard
from alertengine.pipeline.reseal import reseal
from alertengine.signing import TokenSigner, Vault, tenant_secrets, webhook_headers, webhook_verified
from alertengine.store import directory, seals
from world import World

OLD, NEW = "old-secret-of-this-test-0123456789abcdef", "new-secret-of-this-test-0123456789abcdef"
HOW = {"address": "192.0.2.1"}


def rotated(world: World, *previous: str) -> World:
    tokens = TokenSigner(NEW, world.engine.base_url, previous)
    return replace(world, engine=replace(world.engine, tokens=tokens, vault=Vault(NEW, previous)))


@pytest.fixture
def old_world(world: World) -> World:
    tokens = TokenSigner(OLD, world.engine.base_url)
    return replace(world, engine=replace(world.engine, tokens=tokens, vault=Vault(OLD)))


async def test_a_link_of_the_old_secret_decides_as_long_as_it_lives(old_world: World) -> None:
    await old_world.fail()
    token, jti = old_world.channel.last_token, None
    code = next(m.code for _, m, _ in old_world.channel.sent if m.kind is MessageKind.ALERT)
    after = rotated(old_world, OLD)
    opened = await approve.open_link(after.engine, token)
    jti = opened.claims.jti

    assert after.engine.tokens.is_form_token(jti, old_world.engine.tokens.form_token(jti))
    assert not after.engine.tokens.is_form_token(jti, "0" * 32)
    assert code is not None
    assert after.engine.tokens.is_short_code(jti, code)
    with pytest.raises(TokenInvalid):
        await approve.confirm(rotated(old_world).engine, token, HOW)
    assert (await approve.confirm(after.engine, token, HOW)).execution is not None


async def test_a_session_of_the_old_secret_goes_on_as_long_as_it_lives(world: World) -> None:
    now = world.engine.now().replace(microsecond=0)
    one = Pass(purpose=Purpose.SESSION, jti="ses_1", issued_at=now, expires_at=now + timedelta(hours=1))
    token = PassSigner(OLD, "issuer").sign(one)
    after = PassSigner(NEW, "issuer", [OLD])

    assert after.read(Purpose.SESSION, token, now) == one
    assert after.sign(one) == PassSigner(NEW, "issuer").sign(one) != token
    for signer, purpose, text in (
        (PassSigner(NEW, "issuer"), Purpose.SESSION, token),
        (after, Purpose.VIEW, token),
        (after, Purpose.SESSION, token[:-1] + ("A" if token[-1] != "A" else "B")),
    ):
        with pytest.raises(TokenInvalid):
            signer.read(purpose, text, now)


async def test_what_is_stored_is_sealed_anew_and_the_old_secret_can_go(old_world: World) -> None:
    application = Application(
        service_name="orders",
        health_url="http://127.0.0.1:2/",
        service_secret="the-secret-of-the-sdk",
        contacts=[NewContact(name="Rudo", channel="console", secret="https://hooks.example.com/x")],
    )
    made = await onboard(old_world.engine, application)
    assert await reseal(rotated(old_world, OLD).engine) == 2

    engine = rotated(old_world).engine
    service = await engine.store.fetch(directory.service(made.tenant.id, made.service.id))
    [rudo] = await engine.store.fetch(directory.contacts(made.tenant.id))
    assert service is not None
    assert engine.vault.open(str(service.sealed_secret)) == "the-secret-of-the-sdk"
    assert "hooks.example.com" in engine.vault.open(rudo.address.removeprefix("sealed:"))


async def test_a_seal_of_neither_secret_is_told_and_nothing_is_changed(old_world: World) -> None:
    application = Application(service_name="o", health_url="http://127.0.0.1:2/", service_secret="12345678")
    await onboard(old_world.engine, application)
    stranger = replace(old_world.engine, vault=Vault(NEW, ["another-secret-0123456789abcdefgh"]))
    with pytest.raises(ConfigError, match="previous_secrets"):
        await reseal(stranger)

    assert await reseal(rotated(old_world, OLD).engine) == 1


def test_every_column_with_a_seal_is_known() -> None:
    """Where this fails: a new column holds seals, and `store/seals.py` must know it."""
    schema = Path(seals.__file__).parent
    text = "".join(file.read_text() for file in schema.glob("*.sql"))
    columns = {word for word in text.replace("(", " ").split() if word.startswith("sealed_")}

    assert columns == {column for _, _, column, _ in seals._PLACES if column.startswith("sealed_")}


def test_previous_secrets_come_from_a_list_a_file_or_the_environment(tmp_path: Path) -> None:
    lines = tmp_path / "old"
    lines.write_text(f"{OLD}\n{NEW}\n")
    lines.chmod(0o600)
    file = tmp_path / "alertengine.toml"
    file.write_text(f'[auth]\nprevious_secrets_file = "{lines}"\n')
    from_file = load_settings(file, {"HOME": str(tmp_path)}, {})
    environ = {"HOME": str(tmp_path), "ALERTENGINE_AUTH__PREVIOUS_SECRETS": f"{OLD},{NEW}"}
    from_environment = load_settings(None, environ, {})

    for settings in (from_file, from_environment):
        assert [s.get_secret_value() for s in settings.auth.previous_secrets] == [OLD, NEW]
        assert OLD not in repr(settings)
    lines.chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        load_settings(file, {"HOME": str(tmp_path)}, {})


def test_a_tenant_s_calls_are_signed_by_both_while_the_secret_is_changed() -> None:
    body, at = b'{"type":"incident.alert"}', 1_767_323_150
    [before] = tenant_secrets("webhook", "ten_1", OLD)
    new, kept = tenant_secrets("webhook", "ten_1", NEW, OLD)
    headers = webhook_headers(new, "msg_1", at, body, before=[kept])

    assert kept == before
    assert new != tenant_secrets("webhook", "ten_2", NEW)[0]
    assert new != tenant_secrets("recovery", "ten_1", NEW)[0], "who is told may not run"
    assert webhook_verified(before, headers, body, at)
    assert webhook_verified(new, headers, body, at)
    assert not webhook_verified(before, webhook_headers(new, "msg_1", at, body), body, at)
