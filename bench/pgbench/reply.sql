-- A ReplyThread in a thread of two: the rows that Letterbox writes, in one statement.
--
-- As in send.sql, writers do not take turns, except over one thread. The sender is one of the two
-- whom set_up.sql gave the thread to.
\set thread random(1, 10000)
\set starter 1 + (:thread - 1) % 1000
\set recipient 1 + (:thread + :thread / 1000) % 1000
\set replier random(0, 1)
\set sender case when :replier = 0 then :starter else :recipient end
WITH head AS MATERIALIZED (
    SELECT position, bench_id(position) AS id,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
    FROM nextval('bench_positions') AS position
), before AS MATERIALIZED (
    SELECT user_number, placement, unread_count, sent_count FROM participants
    WHERE tenant = 'bench' AND thread = bench_id(:thread::bigint)
), thread AS (
    UPDATE threads SET message_count = message_count + 1, update_time = now,
        last_sender = :sender::bigint, last_time = now, snippet = repeat('x', 200) FROM head
    WHERE tenant = 'bench' AND threads.id = bench_id(:thread::bigint)
    RETURNING message_count AS number
), participant AS (
    UPDATE participants AS p SET placement = 1,
        placement_time = CASE p.placement WHEN 1 THEN p.placement_time ELSE now END,
        position = head.position,
        read_number = CASE p.user_number WHEN :sender::bigint THEN number ELSE p.read_number END,
        unread_count = CASE p.user_number WHEN :sender::bigint THEN 0 ELSE p.unread_count + 1 END,
        sent_count = p.sent_count + (p.user_number = :sender::bigint)::integer,
        last_sent_number = CASE p.user_number WHEN :sender::bigint THEN number
            ELSE p.last_sent_number END
    FROM head, thread WHERE p.tenant = 'bench' AND p.thread = bench_id(:thread::bigint)
    RETURNING p.user_number, p.sent_count
), message AS (
    INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, edit_time, revision)
    SELECT 'bench', bench_id(:thread::bigint), number, head.id, :sender::bigint, p.sent_count,
        position, repeat('x', 200), now, NULL, 1
    FROM head, thread, participant p WHERE p.user_number = :sender::bigint
), told AS (
    INSERT INTO audience (tenant, user_number, position, inbox, unread, sent, deleted, total,
        unread_messages)
    SELECT 'bench', w.user_number, position, c.inbox + (w.placement <> 1)::integer,
        c.unread + (w.user_number <> :sender::bigint)::integer
            - (w.placement = 1 AND w.unread_count > 0)::integer,
        c.sent + (w.user_number = :sender::bigint AND w.sent_count = 0)::integer,
        c.deleted, c.total, c.unread_messages
            + CASE w.user_number WHEN :sender::bigint THEN -w.unread_count ELSE 1 END
    FROM head, before w
    CROSS JOIN LATERAL (SELECT inbox, unread, sent, deleted, total, unread_messages FROM audience
        WHERE tenant = 'bench' AND user_number = w.user_number ORDER BY position DESC LIMIT 1) AS c
)
INSERT INTO events (tenant, position, id, kind, time, thread, message, actor, request_id)
SELECT 'bench', position, id, 1, now, bench_id(:thread::bigint), id, :sender::bigint, NULL
FROM head;
