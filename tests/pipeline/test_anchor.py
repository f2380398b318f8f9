"""What leaves with every message binds the log from then on."""

from __future__ import annotations

from alertengine.ledger.note import open_checkpoint
from alertengine.ledger.verify import verify_file
from alertengine.store.sqlite import SqliteStore
from world import World


async def test_every_message_carries_the_log_s_head(world: World) -> None:
    await world.fail()
    store = world.engine.store
    assert isinstance(store, SqliteStore)
    keys = [store._vkey]
    heads = []
    for _, message, _ in world.channel.sent:
        head = open_checkpoint(message.facts["log_checkpoint"].encode(), keys)
        size, root = message.facts["log_anchor"].split(" ")
        assert (head.origin.rpartition("/")[2], str(head.size)) == (world.tenant, size)
        assert f"log {size} {root}" in message.footer
        heads.append(head)
    assert heads
    await world.heal()
    assert verify_file(store.path, keys, heads).problems == ()
