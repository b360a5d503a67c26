-- Secrets, sealed: a nonce, the encrypted value and its tag, bound to name and version. `key` names the key of the
-- vault that opens it; the key itself is never here. A version is one more for each value that a name is given.
CREATE TABLE secrets (
    name       TEXT   NOT NULL PRIMARY KEY,
    version    BIGINT NOT NULL,
    key        TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
