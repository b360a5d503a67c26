-- The start of a host marks the requests that were under way when the one before it ended. It must not have to look at
-- every key that is kept for that.
CREATE INDEX idempotency_keys_running ON idempotency_keys (key) WHERE state = 'running';
