-- Contracts, each version once. A published one governs its connectors and never changes; a proposed one came with a
-- connector and governs nothing until it is published. `sources` is a JSON array of file names and texts, `digest` its
-- SHA-256.

CREATE TABLE contracts (
    namespace    TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    digest       TEXT   NOT NULL,
    sources      TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('proposed', 'published')),
    proposed_by  TEXT   REFERENCES connectors (digest),
    created_at   BIGINT NOT NULL,
    published_at BIGINT,
    published_by TEXT,
    PRIMARY KEY (namespace, name, version)
);
