-- From schema 1 to 2.

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
