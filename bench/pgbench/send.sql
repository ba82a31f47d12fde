-- A SendMessage to one recipient: the rows that Letterbox writes, in one statement.
--
-- Positions come from a sequence, so writers need not take turns; what Letterbox promises of their
-- order does not hold here, nor that counts are exact where two write to one user at once.
\set sender random(1, 1000)
\set recipient 1 + (:sender - 1 + random(1, 999)) % 1000
WITH head AS MATERIALIZED (
    SELECT position, bench_id(position) AS id,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
    FROM nextval('bench_positions') AS position
), thread AS (
    INSERT INTO threads (tenant, id, subject, create_time, update_time, starter, message_count,
        last_sender, last_time, snippet, people)
    SELECT 'bench', id, 'A subject', now, now, :sender::bigint, 1, :sender::bigint, now,
        repeat('x', 200), concat(:sender::bigint, ',', :recipient::bigint) FROM head
), participant AS (
    INSERT INTO participants (tenant, thread, user_number, place, placement, placement_time,
        read_number, unread_count, sent_count, last_sent_number, position)
    SELECT 'bench', id, v.user_number, v.place, v.placement, now, v.read, v.unread, v.sent,
        v.last_sent, position
    FROM head CROSS JOIN (VALUES (:sender::bigint, 0, 2, 1, 0, 1, 1),
        (:recipient::bigint, 1, 1, 0, 1, 0, 0))
        AS v (user_number, place, placement, read, unread, sent, last_sent)
), message AS (
    INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, edit_time, revision)
    SELECT 'bench', id, 1, id, :sender::bigint, 1, position, repeat('x', 200), now, NULL, 1 FROM head
), told AS (
    INSERT INTO audience (tenant, user_number, position, inbox, unread, sent, deleted, total,
        unread_messages)
    SELECT 'bench', v.user_number, position, c.inbox + v.received, c.unread + v.received,
        c.sent + v.sent, c.deleted, c.total + 1, c.unread_messages + v.received
    FROM head CROSS JOIN (VALUES (:sender::bigint, 0, 1), (:recipient::bigint, 1, 0))
        AS v (user_number, received, sent)
    CROSS JOIN LATERAL (SELECT inbox, unread, sent, deleted, total, unread_messages FROM audience
        WHERE tenant = 'bench' AND user_number = v.user_number ORDER BY position DESC LIMIT 1) AS c
)
INSERT INTO events (tenant, position, id, kind, time, thread, message, actor, request_id)
SELECT 'bench', position, id, 1, now, id, id, :sender::bigint, NULL FROM head;
