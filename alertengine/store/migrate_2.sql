-- From schema 1 to 2.

-- API keys. Several of a tenant can be valid at once, so that one is changed without an interruption.
-- tenant.key_id and tenant.key_hash, where the only one stood before, are not read any more.
CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    used_at    TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_tenant ON api_key (tenant, created_at);
INSERT INTO api_key (id, tenant, hash, created_at) SELECT key_id, id, key_hash, created_at FROM tenant;
UPDATE tenant SET key_id = id, key_hash = zeroblob(0);

-- Who gave a URL (operator or tenant) decides what it may lead to.
ALTER TABLE service ADD COLUMN given_by TEXT NOT NULL DEFAULT 'operator';
ALTER TABLE service ADD COLUMN thresholds TEXT;
ALTER TABLE contact ADD COLUMN given_by TEXT NOT NULL DEFAULT 'operator';
ALTER TABLE contact ADD COLUMN removed_at TEXT;

-- Rate limits that a restart does not reset: when each is unspent again.
CREATE TABLE rate (
    name    TEXT PRIMARY KEY,
    full_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The language a contact is told in; NULL is the daemon's own.
ALTER TABLE contact ADD COLUMN language TEXT;

-- What one request of each of its routes is worth, as JSON.
ALTER TABLE service ADD COLUMN value TEXT;

-- Links by which somebody may look at a tenant's incidents, and the sessions of those who signed in.
-- `subject` is a contact, "operator", or an address that a provider of identities vouched for; `tenants` is JSON.
CREATE TABLE pass (
    jti        TEXT PRIMARY KEY,
    purpose    TEXT NOT NULL CHECK (purpose IN ('view', 'session')),
    subject    TEXT NOT NULL,
    tenants    TEXT NOT NULL,
    issued_at  TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at   TEXT
) STRICT, WITHOUT ROWID;

-- What is known of a person beside their addresses: `name` is their name as it counts, in small letters.
CREATE TABLE person (
    tenant          TEXT NOT NULL REFERENCES tenant (id),
    name            TEXT NOT NULL,
    email           TEXT,
    pin             TEXT,
    pin_tries       INTEGER NOT NULL DEFAULT 0,
    pin_locked_till TEXT,
    PRIMARY KEY (tenant, name),
    UNIQUE (tenant, email)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_email ON person (email) WHERE email IS NOT NULL;

-- An address that several people read: what comes from there proves no person.
ALTER TABLE contact ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
-- A tree is as long as its entries are many: its size is not kept beside them as well, which would be one more
-- page to write in each commit.
DROP TRIGGER tree_new;
DROP TRIGGER tree_grows;
DROP TRIGGER event_next;
DROP TRIGGER event_counts;
DROP TRIGGER checkpoint_new;
DROP TRIGGER checkpoint_newer;
ALTER TABLE tree DROP COLUMN size;

CREATE TRIGGER tree_new BEFORE INSERT ON tree
WHEN EXISTS (SELECT 1 FROM tree WHERE tree = NEW.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: a tree begins once'); END;
CREATE TRIGGER tree_unchanged BEFORE UPDATE ON tree
BEGIN SELECT RAISE(ABORT, 'ledger: a tree keeps its name'); END;

-- The last entry of a tree is in event, or in node, level 0, once it was pruned.
CREATE TRIGGER event_next BEFORE INSERT ON event
WHEN NEW.idx IS NOT 1 + max(
    coalesce((SELECT max(idx) FROM event WHERE tree = NEW.tree), -1),
    coalesce((SELECT max(idx) FROM node WHERE tree = NEW.tree AND level = 0), -1))
  OR NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event WHERE tree = NEW.tree AND incident = NEW.incident)
BEGIN SELECT RAISE(ABORT, 'ledger: only the next event can be added'); END;

CREATE TRIGGER checkpoint_new BEFORE INSERT ON checkpoint
WHEN NEW.size IS NOT 1 + max(
    coalesce((SELECT max(idx) FROM event WHERE tree = NEW.tree), -1),
    coalesce((SELECT max(idx) FROM node WHERE tree = NEW.tree AND level = 0), -1))
  OR EXISTS (SELECT 1 FROM checkpoint WHERE tree = NEW.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint is of the whole log and newer than the last'); END;
CREATE TRIGGER checkpoint_newer BEFORE UPDATE ON checkpoint
WHEN NEW.tree <> OLD.tree OR NEW.size <= OLD.size OR NEW.size IS NOT 1 + max(
    coalesce((SELECT max(idx) FROM event WHERE tree = NEW.tree), -1),
    coalesce((SELECT max(idx) FROM node WHERE tree = NEW.tree AND level = 0), -1))
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint only gives way to a newer one, of the whole log'); END;
-- What a message tells of: its own incident, and those whose message joined it. `seq` is the number of the event
-- that queued it there.
CREATE TABLE about (
    delivery TEXT NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    tenant   TEXT NOT NULL,
    incident TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (delivery, incident)
) STRICT, WITHOUT ROWID;
CREATE INDEX about_incident ON about (tenant, incident, seq);
INSERT INTO about SELECT id, tenant, incident, seq FROM delivery;
CREATE INDEX delivery_jti ON delivery (jti);
CREATE INDEX delivery_unsent ON delivery (tenant, contact, kind) WHERE state = 'queued' AND attempts = 0;
CREATE INDEX delivery_follows ON delivery (follows) WHERE follows IS NOT NULL;

-- What was asked of a model: written before the question leaves, settled with its answer. `cost` in millionths of a
-- dollar; until it is settled, what the question may cost at most.
CREATE TABLE model_call (
    tenant   TEXT NOT NULL,
    incident TEXT NOT NULL,
    look     INTEGER NOT NULL,
    lens     TEXT NOT NULL,
    day      TEXT NOT NULL,
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    prompt   TEXT NOT NULL,
    sha256   TEXT NOT NULL,
    question TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('asked', 'answered', 'failed')),
    tokens   INTEGER NOT NULL,
    cost     INTEGER NOT NULL,
    PRIMARY KEY (tenant, incident, look, lens)
) STRICT, WITHOUT ROWID;

-- What each tenant's questions used on a day (UTC).
CREATE TABLE model_spend (
    tenant TEXT NOT NULL,
    day    TEXT NOT NULL,
    calls  INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    cost   INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

-- The evidence that an incident was diagnosed by, redacted: to read later, and to grade diagnosers on.
CREATE TABLE evidence (
    tenant   TEXT NOT NULL,
    incident TEXT NOT NULL,
    look     INTEGER NOT NULL,
    taken_at TEXT NOT NULL,
    report   TEXT NOT NULL,
    PRIMARY KEY (tenant, incident, look)
) STRICT, WITHOUT ROWID;

-- Times in which matching incidents call nobody. `service` and `route` are patterns; one that was removed ended then.
CREATE TABLE silence (
    id        TEXT PRIMARY KEY,
    tenant    TEXT NOT NULL REFERENCES tenant (id),
    service   TEXT NOT NULL,
    route     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    set_by    TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    until     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX silence_until ON silence (until);

-- What a tenant's messages cost in a month, in millionths; `capped`: its cap was reached.
CREATE TABLE postage (
    tenant TEXT NOT NULL,
    month  TEXT NOT NULL,
    cost   INTEGER NOT NULL,
    capped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, month)
) STRICT, WITHOUT ROWID;

-- A message for information alone: nobody is asked by it, nor counts as told.
ALTER TABLE delivery ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;

-- Deliveries in the order in which they were queued: one order for all that is sent, whatever each tells of.
ALTER TABLE delivery ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE delivery SET number = old.number
FROM (SELECT id, row_number() OVER (ORDER BY queued_at, seq, id) AS number FROM delivery) AS old
WHERE old.id = delivery.id;
CREATE INDEX delivery_number ON delivery (number);

-- `moved`: the contact has left the address that this went to. What stands there is not touched any more.
ALTER TABLE attempt ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;
