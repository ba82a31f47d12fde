-- What send.sql and reply.sql work on, in tables made by `letterbox migrate`: 1,000 users of the
-- tenant `bench`, and 10,000 threads between them, each with one message. Thread n was started by
-- user 1 + (n - 1) % 1000 and goes to user 1 + (n - 1 + 1 + n / 1000) % 1000.
--
-- `letterbox check` finds one thing wrong with what this and the two scripts write: they leave out
-- how much the tenant holds, which its newest event has. With what they write at the same time it
-- also finds counts of users and threads that two wrote to at once.

CREATE SEQUENCE bench_positions START 10001;

-- Ids grow as they are made, as version 7 UUIDs do: what they are looked up by stays together.
CREATE FUNCTION bench_id(n bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE RETURN lpad(to_hex(n), 32, '0')::uuid;

CREATE TEMPORARY TABLE started AS
    SELECT n, bench_id(n) AS id, 1 + (n - 1) % 1000 AS starter,
        1 + (n + n / 1000) % 1000 AS recipient
    FROM generate_series(1::bigint, 10000) AS n;

INSERT INTO log_heads (tenant) VALUES ('bench');
INSERT INTO users (tenant, number, id, known_time)
    SELECT 'bench', n, 'bench-user-' || n - 1, 0 FROM generate_series(1, 1000) AS n;
INSERT INTO threads (tenant, id, subject, create_time, update_time, starter, message_count,
        last_sender, last_time, snippet, people)
    SELECT 'bench', id, 'A subject', 0, 0, starter, 1, starter, 0, repeat('x', 200),
        concat(starter, ',', recipient) FROM started;
INSERT INTO participants (tenant, thread, user_number, place, placement, placement_time,
        read_number, unread_count, sent_count, last_sent_number, position)
    SELECT 'bench', id, starter, 0, 2, 0, 1, 0, 1, 1, n FROM started
    UNION ALL SELECT 'bench', id, recipient, 1, 1, 0, 0, 1, 0, 0, n FROM started;
INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, edit_time, revision)
    SELECT 'bench', id, 1, id, starter, 1, n, repeat('x', 200), 0, NULL, 1 FROM started;
INSERT INTO events (tenant, position, id, kind, time, thread, message, actor, request_id)
    SELECT 'bench', n, id, 1, 0, id, id, starter, NULL FROM started;
INSERT INTO audience (tenant, user_number, position)
    SELECT tenant, user_number, position FROM participants;
UPDATE audience SET inbox = r.count, unread = r.count, sent = s.count, deleted = 0,
        total = r.count + s.count, unread_messages = r.count
    FROM users
    CROSS JOIN LATERAL (SELECT count(*) FROM started WHERE recipient = number) AS r
    CROSS JOIN LATERAL (SELECT count(*) FROM started WHERE starter = number) AS s
    WHERE user_number = number AND position = (SELECT max(n.position) FROM audience n
        WHERE n.tenant = 'bench' AND n.user_number = number);

VACUUM (ANALYZE) users, threads, participants, messages, events, audience;
