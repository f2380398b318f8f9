-- The ledger: one RFC 6962 tree per tenant, and the tree _system. Append-only by schema:
-- UPDATE and DELETE are refused, and so is any INSERT but the next one, which closes INSERT OR REPLACE.
CREATE TABLE tree (
    tree TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    tree     TEXT NOT NULL REFERENCES tree (tree),
    idx      INTEGER NOT NULL,
    incident TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    type     TEXT NOT NULL,
    body     BLOB NOT NULL,
    hash     BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tree, idx)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_incident ON event (tree, incident, seq);

CREATE TABLE node (
    tree  TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level >= 0),
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tree, level, idx)
) STRICT, WITHOUT ROWID;

-- Each tree's newest signed head and no older one: with an older one at hand, a log that was cut back to it
-- would verify. Milestones are signed under another name; they only show how far a rewritten log is good.
CREATE TABLE checkpoint (
    tree TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    note BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE milestone (
    tree TEXT NOT NULL,
    size INTEGER NOT NULL,
    note BLOB NOT NULL,
    PRIMARY KEY (tree, size)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tree_new BEFORE INSERT ON tree
WHEN NEW.size <> 0 OR EXISTS (SELECT 1 FROM tree WHERE tree = NEW.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: a tree begins empty and once'); END;
CREATE TRIGGER tree_grows BEFORE UPDATE ON tree
WHEN NEW.tree <> OLD.tree OR NEW.size <> OLD.size + 1
BEGIN SELECT RAISE(ABORT, 'ledger: a tree grows by one'); END;
CREATE TRIGGER tree_stays BEFORE DELETE ON tree
BEGIN SELECT RAISE(ABORT, 'ledger: a tree stays'); END;

CREATE TRIGGER event_next BEFORE INSERT ON event
WHEN NEW.idx IS NOT (SELECT size FROM tree WHERE tree = NEW.tree)
  OR NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event WHERE tree = NEW.tree AND incident = NEW.incident)
BEGIN SELECT RAISE(ABORT, 'ledger: only the next event can be added'); END;
CREATE TRIGGER event_counts AFTER INSERT ON event
BEGIN UPDATE tree SET size = size + 1 WHERE tree = NEW.tree; END;
CREATE TRIGGER event_unchanged BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'ledger: an event never changes'); END;
-- Pruning moves an entry's hash into node, level 0; only then may its body go.
CREATE TRIGGER event_stays BEFORE DELETE ON event
WHEN NOT EXISTS (SELECT 1 FROM node WHERE tree = OLD.tree AND level = 0 AND idx = OLD.idx AND hash = OLD.hash)
BEGIN SELECT RAISE(ABORT, 'ledger: an event stays'); END;

CREATE TRIGGER node_new BEFORE INSERT ON node
WHEN EXISTS (SELECT 1 FROM node WHERE tree = NEW.tree AND level = NEW.level AND idx = NEW.idx)
  OR (NEW.level = 0
      AND NOT EXISTS (SELECT 1 FROM event WHERE tree = NEW.tree AND idx = NEW.idx AND hash = NEW.hash))
BEGIN SELECT RAISE(ABORT, 'ledger: a node is written once'); END;
CREATE TRIGGER node_unchanged BEFORE UPDATE ON node
BEGIN SELECT RAISE(ABORT, 'ledger: a node never changes'); END;
CREATE TRIGGER node_stays BEFORE DELETE ON node
BEGIN SELECT RAISE(ABORT, 'ledger: a node stays'); END;

CREATE TRIGGER checkpoint_new BEFORE INSERT ON checkpoint
WHEN NEW.size IS NOT (SELECT size FROM tree WHERE tree = NEW.tree)
  OR EXISTS (SELECT 1 FROM checkpoint WHERE tree = NEW.tree AND size >= NEW.size)
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint is of the whole log and newer than the last'); END;
CREATE TRIGGER checkpoint_newer BEFORE UPDATE ON checkpoint
WHEN NEW.tree <> OLD.tree OR NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint only gives way to a newer one'); END;
CREATE TRIGGER checkpoint_stays BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint stays'); END;

CREATE TRIGGER milestone_new BEFORE INSERT ON milestone
WHEN EXISTS (SELECT 1 FROM milestone WHERE tree = NEW.tree AND size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'ledger: a milestone is written once'); END;
CREATE TRIGGER milestone_unchanged BEFORE UPDATE ON milestone
BEGIN SELECT RAISE(ABORT, 'ledger: a milestone never changes'); END;
CREATE TRIGGER milestone_stays BEFORE DELETE ON milestone
BEGIN SELECT RAISE(ABORT, 'ledger: a milestone stays'); END;

-- What the events amount to, kept for look-ups and written in the same transaction.
-- `slot` is 1 while the incident keeps its service from having another.
CREATE TABLE incident (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    service_id TEXT NOT NULL,
    service    TEXT NOT NULL,
    stage      TEXT NOT NULL,
    severity   TEXT NOT NULL,
    title      TEXT NOT NULL,
    opened_at  TEXT NOT NULL,
    closed_at  TEXT,
    is_test    INTEGER NOT NULL,
    slot       INTEGER CHECK (slot = 1),
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX incident_id ON incident (id);
CREATE UNIQUE INDEX incident_slot ON incident (tenant, service_id) WHERE slot = 1;
CREATE INDEX incident_newest ON incident (tenant, opened_at DESC, id);
CREATE INDEX incident_open ON incident (opened_at) WHERE closed_at IS NULL;

-- At most one authorization for each decision asked for, whatever the code above does.
CREATE TABLE execution (
    tenant   TEXT NOT NULL,
    incident TEXT NOT NULL,
    round    INTEGER NOT NULL,
    id       TEXT NOT NULL UNIQUE,
    PRIMARY KEY (tenant, incident, round)
) STRICT, WITHOUT ROWID;

-- Links that were sent. Single use is the conditional update of used_at, whose row count decides.
CREATE TABLE link (
    jti        TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    incident   TEXT NOT NULL,
    contact    TEXT NOT NULL,
    round      INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX link_contact ON link (tenant, incident, contact);

-- The outbox. due_at says when to look again: to send, or because a sender never came back. `seq` is the
-- number of the event that queued it: one person's messages about an incident leave in that order.
-- fallback_at: unless it has arrived by then, the person's next address is used; NULL once that is settled.
-- `follows` is the delivery it stands in for, `forgiven` how many attempts an operator's retry forgave.
CREATE TABLE delivery (
    id        TEXT PRIMARY KEY,
    tenant    TEXT NOT NULL,
    incident  TEXT NOT NULL,
    contact   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    jti       TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    queued_at TEXT NOT NULL,
    due_at    TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'delivered', 'read', 'dead')),
    attempts  INTEGER NOT NULL DEFAULT 0,
    forgiven  INTEGER NOT NULL DEFAULT 0,
    fallback_at TEXT,
    follows   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_waiting ON delivery (fallback_at) WHERE fallback_at IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (queued_at) WHERE state = 'dead';
CREATE INDEX delivery_due ON delivery (due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_incident ON delivery (tenant, incident, contact, seq);

CREATE TABLE attempt (
    delivery            TEXT NOT NULL REFERENCES delivery (id),
    attempt             INTEGER NOT NULL,
    tenant              TEXT NOT NULL,
    incident            TEXT NOT NULL,
    channel             TEXT NOT NULL,
    provider            TEXT NOT NULL,
    contact             TEXT NOT NULL,
    outcome             TEXT NOT NULL
                        CHECK (outcome IN ('sending', 'accepted', 'delivered', 'read', 'failed', 'dead')),
    provider_message_id TEXT,
    error               TEXT,
    at                  TEXT NOT NULL,
    PRIMARY KEY (delivery, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_incident ON attempt (tenant, incident, at);
CREATE INDEX attempt_message ON attempt (provider_message_id) WHERE provider_message_id IS NOT NULL;

CREATE TABLE tenant (
    id                   TEXT PRIMARY KEY,
    name                 TEXT NOT NULL,
    plan                 TEXT NOT NULL,
    status               TEXT NOT NULL,
    created_at           TEXT NOT NULL,
    notification_channel TEXT NOT NULL,
    key_id               TEXT NOT NULL UNIQUE,
    key_hash             BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Incidents since since_at, 30 days at most; told_at: when one past the plan's number was last alerted.
CREATE TABLE quota (
    tenant    TEXT PRIMARY KEY,
    since_at  TEXT NOT NULL,
    incidents INTEGER NOT NULL,
    told_at   TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE service (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL REFERENCES tenant (id),
    name          TEXT NOT NULL,
    health_url    TEXT NOT NULL,
    sealed_secret TEXT,
    actions       TEXT,
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL REFERENCES tenant (id),
    name        TEXT NOT NULL,
    channel     TEXT NOT NULL,
    address     TEXT NOT NULL,
    role        TEXT NOT NULL,
    verified_at TEXT,
    place       INTEGER NOT NULL,
    UNIQUE (tenant, channel, address, name)
) STRICT, WITHOUT ROWID;

-- Codes on their way to people whose address is not verified yet.
CREATE TABLE verification (
    contact     TEXT PRIMARY KEY REFERENCES contact (id) ON DELETE CASCADE,
    tenant      TEXT NOT NULL,
    sealed_code TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    sent_at     TEXT NOT NULL,
    first_at    TEXT NOT NULL,
    sends       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Small facts about the file itself, by name.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
