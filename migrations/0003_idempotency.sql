-- Keys that callers gave to requests that change something (Idempotency-Key), each with what became of the first
-- request. `key` is a digest over agency, account and the caller's key; the key itself is not kept. `answer` is the
-- sealed body: BYTEA is PostgreSQL's name for bytes, and SQLite keeps bytes as they are in a column of any name.
--
-- `claim` tells the request that holds the key from any that tries to; after `ends_by` a running request can no longer
-- be under way, and its outcome is unknown. After `expires_at` the key is as new.
CREATE TABLE idempotency_keys (
    key          TEXT   NOT NULL PRIMARY KEY,
    claim        BIGINT NOT NULL,
    agency       TEXT   NOT NULL,
    account      TEXT   NOT NULL,
    service      TEXT   NOT NULL,
    operation    TEXT   NOT NULL,
    request      TEXT   NOT NULL,
    exchange     TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('running', 'done', 'unknown')),
    created_at   BIGINT NOT NULL,
    ends_by      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revision     BIGINT,
    status       BIGINT,
    problem      TEXT,
    content_type TEXT,
    answer       BYTEA
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
