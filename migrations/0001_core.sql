-- The tables of Trục. The same text runs on SQLite and on PostgreSQL: names, digests and identifiers are text,
-- times are microseconds since 1970-01-01T00:00:00Z, and nothing depends on a dialect's own types.

CREATE TABLE connectors (
    digest       TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    publisher    TEXT   NOT NULL,
    contract     TEXT   NOT NULL,
    manifest     TEXT   NOT NULL,
    size         BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    UNIQUE (name, version)
);

-- A service without an active revision is one that was removed. Its row stays, so that the numbers of its revisions,
-- which the exchanges refer to, are never given twice.
CREATE TABLE services (
    name            TEXT   NOT NULL PRIMARY KEY,
    active_revision BIGINT,
    created_at      BIGINT NOT NULL
);

CREATE TABLE revisions (
    service    TEXT   NOT NULL REFERENCES services (name),
    number     BIGINT NOT NULL,
    connector  TEXT   NOT NULL REFERENCES connectors (digest),
    settings   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    PRIMARY KEY (service, number)
);

CREATE TABLE agencies (
    code       TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at BIGINT NOT NULL
);

CREATE TABLE accounts (
    agency         TEXT   NOT NULL REFERENCES agencies (code),
    name           TEXT   NOT NULL,
    key_id         TEXT   NOT NULL UNIQUE,
    key_hash       TEXT   NOT NULL,
    key_created_at BIGINT NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (agency, name)
);

CREATE TABLE grants (
    id          TEXT   NOT NULL PRIMARY KEY,
    agency      TEXT   NOT NULL REFERENCES agencies (code),
    service     TEXT   NOT NULL,
    operation   TEXT   NOT NULL,
    purpose     TEXT,
    legal_basis TEXT,
    expires_at  BIGINT,
    created_at  BIGINT NOT NULL
);

-- Append-only. An exchange has a row for its outcome (outcome = 1) and, where it was to change something upstream,
-- one before that for its intent (outcome = 0). An intent without an outcome is an exchange of unknown end.
--
-- The one index is what every listing goes through. Writing is the hot path, and an index per filter would cost each
-- exchange about as much as its row does.
CREATE TABLE exchanges (
    received_at    BIGINT NOT NULL,
    id             TEXT   NOT NULL,
    outcome        BIGINT NOT NULL,
    agency         TEXT,
    account        TEXT,
    service        TEXT,
    revision       BIGINT,
    operation      TEXT,
    purpose        TEXT,
    dossier        TEXT,
    status         BIGINT,
    problem        TEXT,
    duration       BIGINT,
    request_bytes  BIGINT,
    response_bytes BIGINT,
    upstream_calls BIGINT
);

CREATE INDEX exchanges_by_time ON exchanges (received_at);
