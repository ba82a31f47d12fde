-- Users that an admin has deactivated: since when; null: active.
ALTER TABLE users ADD COLUMN deactivated_time bigint;

-- How many threads and messages the tenant held after an event, beside the newest of each batch:
-- nothing is updated, and the newest event is always kept.
ALTER TABLE events ADD COLUMN threads bigint;
ALTER TABLE events ADD COLUMN messages bigint;
UPDATE events SET
    threads = (SELECT count(*) FROM threads t WHERE t.tenant = events.tenant),
    messages = (SELECT count(*) FROM messages m WHERE m.tenant = events.tenant)
WHERE (tenant, position) IN (SELECT h.tenant, (SELECT max(e.position) FROM events e
    WHERE e.tenant = h.tenant) FROM log_heads h);
