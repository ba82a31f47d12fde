//! The checks of what is stored: each recomputes something that is kept, and compares.
//!
//! In the same dialect, and under the same rules, as the other `statements`; but these read whole
//! tenants, and are for an operator who can wait.

/// One check: what it is about, and its statement.
pub(crate) struct Check {
    /// What is compared.
    pub(crate) subject: &'static str,
    /// Answers with `[key, stored, counted]` of the first rows that disagree.
    pub(crate) sql: &'static str,
    /// What puts rows right, by their keys (`$2`), a participant's by the thread; empty: nothing does.
    pub(crate) repairs: &'static [&'static str],
}

/// How many rows that disagree a check names, as its statement says it.
pub(crate) const FIRST: &str = "LIMIT 100";

/// The rows of a comparison (`key`, `stored`, `counted`) that disagree, the first hundred.
macro_rules! comparison {
    ($subject:literal, $compared:expr) => {
        comparison!($subject, $compared, &[])
    };
    ($subject:literal, $compared:expr, $repairs:expr) => {
        Check {
            repairs: $repairs,
            subject: $subject,
            sql: concat!(
                "SELECT CAST(json_group_array(json_array(found.key,
                    CAST(found.stored AS text), CAST(found.counted AS text))) AS text)
                FROM (SELECT compared.key, compared.stored, compared.counted FROM (",
                $compared,
                ") AS compared WHERE compared.stored IS DISTINCT FROM compared.counted
                LIMIT 100) AS found"
            ),
        }
    };
}

/// A participant's name for a report.
macro_rules! participant {
    () => {
        "hex(p.thread) || ' of ' || coalesce((SELECT u.id FROM users u
            WHERE u.tenant = $1 AND u.number = p.user_number), '?')"
    };
}

/// The tenants there are.
pub(crate) const TENANTS: &str = "SELECT CAST(json_group_array(h.tenant) AS text) FROM log_heads h";

/// A thread's count, where its messages' numbers have no gap.
const THREAD: &[&str] = &[
    "UPDATE threads SET message_count = (SELECT max(m.number) FROM messages m
        WHERE m.tenant = $1 AND m.thread = threads.id)
    WHERE tenant = $1 AND id IN (SELECT unhex(i.value->>0) FROM rows_of($2) AS i)
        AND (SELECT count(*) FROM messages m WHERE m.tenant = $1 AND m.thread = threads.id)
            = (SELECT max(m.number) FROM messages m WHERE m.tenant = $1 AND m.thread = threads.id)",
    LAST_MESSAGE,
];

/// What a thread shows of its newest message.
const LAST_MESSAGE: &str = "UPDATE threads SET
        last_sender = (SELECT m.sender FROM messages m WHERE m.tenant = $1
            AND m.thread = threads.id AND m.number = threads.message_count),
        last_time = (SELECT m.send_time FROM messages m WHERE m.tenant = $1
            AND m.thread = threads.id AND m.number = threads.message_count),
        snippet = (SELECT substr(m.content, 1, 200) FROM messages m WHERE m.tenant = $1
            AND m.thread = threads.id AND m.number = threads.message_count)
    WHERE tenant = $1 AND id IN (SELECT unhex(i.value->>0) FROM rows_of($2) AS i)
        AND EXISTS (SELECT 1 FROM messages m WHERE m.tenant = $1
            AND m.thread = threads.id AND m.number = threads.message_count)";

const PEOPLE: &[&str] = &["UPDATE threads SET
        people = (SELECT string_agg(CAST(p.user_number AS text), ',' ORDER BY p.place)
            FROM participants p WHERE p.tenant = $1 AND p.thread = threads.id)
    WHERE tenant = $1 AND id IN (SELECT unhex(i.value->>0) FROM rows_of($2) AS i)
        AND EXISTS (SELECT 1 FROM participants p WHERE p.tenant = $1 AND p.thread = threads.id)"];

/// All that follows from messages, of all participants of a thread.
const PARTICIPANTS: &[&str] = &["UPDATE participants SET
        unread_count = (SELECT count(*) FROM messages m WHERE m.tenant = $1
            AND m.thread = participants.thread AND m.number > participants.read_number
            AND m.sender <> participants.user_number),
        sent_count = (SELECT count(*) FROM messages m WHERE m.tenant = $1
            AND m.thread = participants.thread AND m.sender = participants.user_number),
        last_sent_number = coalesce((SELECT max(m.number) FROM messages m WHERE m.tenant = $1
            AND m.thread = participants.thread AND m.sender = participants.user_number), 0),
        position = coalesce((SELECT max(m.position) FROM messages m WHERE m.tenant = $1
            AND m.thread = participants.thread), participants.position),
        read_number = CASE WHEN participants.read_number < 0 THEN 0
            ELSE coalesce((SELECT t.message_count FROM threads t WHERE t.tenant = $1
                AND t.id = participants.thread AND t.message_count < participants.read_number),
                participants.read_number) END
    WHERE tenant = $1
        AND thread IN (SELECT unhex(i.value->>0) FROM rows_of($2) AS i)"];

const SENDER_COUNTS: &[&str] = &["UPDATE messages SET sender_count = (SELECT count(*)
        FROM messages m WHERE m.tenant = $1 AND m.thread = messages.thread
            AND m.sender = messages.sender AND m.number <= messages.number)
    WHERE tenant = $1 AND id IN (SELECT unhex(i.value->>0) FROM rows_of($2) AS i)"];

/// What a user's counts come to.
macro_rules! counted_mailbox {
    ($number:literal) => {
        concat!(
            "coalesce(sum(CASE WHEN p.placement = 1 THEN 1 ELSE 0 END), 0),
            coalesce(sum(CASE WHEN p.placement = 1 AND p.unread_count > 0 THEN 1 ELSE 0 END), 0),
            coalesce(sum(CASE WHEN p.placement <> 3 AND p.sent_count > 0 THEN 1 ELSE 0 END), 0),
            coalesce(sum(CASE WHEN p.placement = 3 THEN 1 ELSE 0 END), 0), count(*),
            coalesce(sum(CASE WHEN p.placement = 1 THEN p.unread_count ELSE 0 END), 0)
            FROM participants p WHERE p.tenant = $1 AND p.user_number = ",
            $number
        )
    };
}

/// A user's counts, where they stand: beside the newest event that tells the user of something, or
/// at rest where there is none.
const MAILBOXES: &[&str] = &[
    concat!(
        "UPDATE audience SET (inbox, unread, sent, deleted, total, unread_messages) = (SELECT ",
        counted_mailbox!("audience.user_number"),
        ") WHERE tenant = $1 AND user_number IN (SELECT u.number FROM users u WHERE u.tenant = $1
            AND u.id IN (SELECT i.value->>0 FROM rows_of($2) AS i))
        AND position = (SELECT max(n.position) FROM audience n WHERE n.tenant = $1
            AND n.user_number = audience.user_number)"
    ),
    "INSERT INTO mailboxes_at_rest (tenant, user_number, inbox, unread, sent, deleted, total,
            unread_messages)
        SELECT h.tenant, c.number, c.inbox, c.unread, c.sent, c.deleted, c.total,
            c.unread_messages
        FROM log_heads h CROSS JOIN (SELECT u.number,
                sum(CASE WHEN p.placement = 1 THEN 1 ELSE 0 END) AS inbox,
                sum(CASE WHEN p.placement = 1 AND p.unread_count > 0 THEN 1 ELSE 0 END) AS unread,
                sum(CASE WHEN p.placement <> 3 AND p.sent_count > 0 THEN 1 ELSE 0 END) AS sent,
                sum(CASE WHEN p.placement = 3 THEN 1 ELSE 0 END) AS deleted, count(*) AS total,
                sum(CASE WHEN p.placement = 1 THEN p.unread_count ELSE 0 END) AS unread_messages
            FROM users u CROSS JOIN participants p WHERE u.tenant = $1 AND p.tenant = $1
                AND p.user_number = u.number
                AND u.id IN (SELECT i.value->>0 FROM rows_of($2) AS i)
                AND NOT EXISTS (SELECT 1 FROM audience n WHERE n.tenant = $1
                    AND n.user_number = u.number) GROUP BY u.number) AS c
        WHERE h.tenant = $1
        ON CONFLICT (tenant, user_number) DO UPDATE SET inbox = excluded.inbox,
            unread = excluded.unread, sent = excluded.sent, deleted = excluded.deleted,
            total = excluded.total, unread_messages = excluded.unread_messages",
];

const SIZES: &[&str] = &["UPDATE events SET
        threads = (SELECT count(*) FROM threads t WHERE t.tenant = $1),
        messages = (SELECT count(*) FROM messages m WHERE m.tenant = $1)
    WHERE tenant = $1 AND position = (SELECT max(e.position) FROM events e WHERE e.tenant = $1)
        AND EXISTS (SELECT 1 FROM rows_of($2) AS i)"];

pub(crate) const CHECKS: &[Check] = &[
    comparison!(
        "a thread's message count",
        "SELECT hex(t.id) AS key, t.message_count AS stored, (SELECT count(*) FROM messages m
            WHERE m.tenant = $1 AND m.thread = t.id) AS counted
        FROM threads t WHERE t.tenant = $1",
        THREAD
    ),
    comparison!(
        "the number of a thread's newest message",
        "SELECT hex(t.id) AS key, t.message_count AS stored, (SELECT max(m.number) FROM messages m
            WHERE m.tenant = $1 AND m.thread = t.id) AS counted
        FROM threads t WHERE t.tenant = $1",
        THREAD
    ),
    comparison!(
        "what a thread shows of its newest message",
        "SELECT hex(t.id) AS key, 1 AS stored, (SELECT CASE WHEN t.last_sender = m.sender
                AND t.last_time = m.send_time AND t.snippet = substr(m.content, 1, 200)
                THEN 1 ELSE 0 END FROM messages m WHERE m.tenant = $1 AND m.thread = t.id
                AND m.number = t.message_count) AS counted
        FROM threads t WHERE t.tenant = $1",
        &[LAST_MESSAGE]
    ),
    comparison!(
        "the participants that a thread shows",
        "SELECT hex(t.id) AS key, t.people AS stored,
            (SELECT string_agg(CAST(p.user_number AS text), ',' ORDER BY p.place)
                FROM participants p WHERE p.tenant = $1 AND p.thread = t.id) AS counted
        FROM threads t WHERE t.tenant = $1",
        PEOPLE
    ),
    comparison!(
        "the starter's first place among a thread's participants",
        "SELECT hex(t.id) AS key, t.starter AS stored, (SELECT p.user_number FROM participants p
            WHERE p.tenant = $1 AND p.thread = t.id ORDER BY p.place LIMIT 1) AS counted
        FROM threads t WHERE t.tenant = $1"
    ),
    comparison!(
        "the places of a thread's participants",
        "SELECT hex(p.thread) AS key, count(*) AS stored, count(DISTINCT p.place) AS counted
        FROM participants p WHERE p.tenant = $1 GROUP BY p.thread"
    ),
    comparison!(
        "a participant's thread and user",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, 1 AS stored, CASE WHEN EXISTS (SELECT 1 FROM threads t
                WHERE t.tenant = $1 AND t.id = p.thread) AND EXISTS (SELECT 1 FROM users u
                WHERE u.tenant = $1 AND u.number = p.user_number) THEN 1 ELSE 0 END AS counted
            FROM participants p WHERE p.tenant = $1"
        )
    ),
    comparison!(
        "a participant's unread count",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, p.unread_count AS stored, (SELECT count(*) FROM messages m
                WHERE m.tenant = $1 AND m.thread = p.thread AND m.number > p.read_number
                AND m.sender <> p.user_number) AS counted
            FROM participants p WHERE p.tenant = $1"
        ),
        PARTICIPANTS
    ),
    comparison!(
        "a participant's count of messages sent",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, p.sent_count AS stored, (SELECT count(*) FROM messages m
                WHERE m.tenant = $1 AND m.thread = p.thread
                AND m.sender = p.user_number) AS counted
            FROM participants p WHERE p.tenant = $1"
        ),
        PARTICIPANTS
    ),
    comparison!(
        "a participant's last message sent",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, p.last_sent_number AS stored, coalesce((SELECT max(m.number)
                FROM messages m WHERE m.tenant = $1 AND m.thread = p.thread
                AND m.sender = p.user_number), 0) AS counted
            FROM participants p WHERE p.tenant = $1"
        ),
        PARTICIPANTS
    ),
    comparison!(
        "the position that orders a participant's folders",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, p.position AS stored, (SELECT max(m.position) FROM messages m
                WHERE m.tenant = $1 AND m.thread = p.thread) AS counted
            FROM participants p WHERE p.tenant = $1"
        ),
        PARTICIPANTS
    ),
    comparison!(
        "a participant's read mark, between nothing and the newest message",
        concat!(
            "SELECT ",
            participant!(),
            " AS key, p.read_number AS stored, CASE WHEN p.read_number < 0 THEN 0
                WHEN p.read_number > t.message_count THEN t.message_count
                ELSE p.read_number END AS counted
            FROM participants p CROSS JOIN threads t
            WHERE p.tenant = $1 AND t.tenant = $1 AND t.id = p.thread"
        ),
        PARTICIPANTS
    ),
    comparison!(
        "how many messages a message's sender had written",
        "SELECT hex(m.id) AS key, m.sender_count AS stored,
            row_number() OVER (PARTITION BY m.thread, m.sender ORDER BY m.number) AS counted
        FROM messages m WHERE m.tenant = $1",
        SENDER_COUNTS
    ),
    comparison!(
        "a message's send time, not before its predecessor's",
        "SELECT hex(m.id) AS key, m.send_time AS stored, max(m.send_time)
            OVER (PARTITION BY m.thread ORDER BY m.number) AS counted
        FROM messages m WHERE m.tenant = $1"
    ),
    comparison!(
        "a message's position, after its predecessor's",
        "SELECT hex(m.id) AS key, m.position AS stored, max(m.position)
            OVER (PARTITION BY m.thread ORDER BY m.number) AS counted
        FROM messages m WHERE m.tenant = $1"
    ),
    comparison!(
        "a message's former contents",
        "SELECT hex(m.id) AS key, m.revision - 1 AS stored, (SELECT count(*) FROM revisions r
            WHERE r.tenant = $1 AND r.message = m.id) AS counted
        FROM messages m WHERE m.tenant = $1"
    ),
    comparison!(
        "a user's counts (inbox, unread, sent, deleted, all, unread messages)",
        "SELECT u.id AS key,
            coalesce((SELECT a.inbox || ' ' || a.unread || ' ' || a.sent || ' ' || a.deleted
                || ' ' || a.total || ' ' || a.unread_messages
                FROM audience a WHERE a.tenant = $1 AND a.user_number = u.number
                ORDER BY a.position DESC LIMIT 1),
                (SELECT b.inbox || ' ' || b.unread || ' ' || b.sent || ' ' || b.deleted
                || ' ' || b.total || ' ' || b.unread_messages
                FROM mailboxes_at_rest b WHERE b.tenant = $1 AND b.user_number = u.number),
                '0 0 0 0 0 0') AS stored,
            (SELECT coalesce(sum(CASE WHEN p.placement = 1 THEN 1 ELSE 0 END), 0)
                || ' ' || coalesce(sum(CASE WHEN p.placement = 1 AND p.unread_count > 0
                    THEN 1 ELSE 0 END), 0)
                || ' ' || coalesce(sum(CASE WHEN p.placement <> 3 AND p.sent_count > 0
                    THEN 1 ELSE 0 END), 0)
                || ' ' || coalesce(sum(CASE WHEN p.placement = 3 THEN 1 ELSE 0 END), 0)
                || ' ' || count(*)
                || ' ' || coalesce(sum(CASE WHEN p.placement = 1 THEN p.unread_count
                    ELSE 0 END), 0)
                FROM participants p WHERE p.tenant = $1
                AND p.user_number = u.number) AS counted
        FROM users u WHERE u.tenant = $1",
        MAILBOXES
    ),
    comparison!(
        "a request's message",
        "SELECT hex(r.request_id) AS key, hex(r.message) AS stored, (SELECT hex(m.id)
            FROM messages m WHERE m.tenant = $1 AND m.id = r.message) AS counted
        FROM requests r WHERE r.tenant = $1"
    ),
    comparison!(
        "how many threads and messages the tenant holds",
        "SELECT 'tenant' AS key, coalesce((SELECT coalesce(e.threads, 0) || ' '
                || coalesce(e.messages, 0) FROM events e
                WHERE e.tenant = $1 ORDER BY e.position DESC LIMIT 1), '0 0') AS stored,
            (SELECT count(*) FROM threads t WHERE t.tenant = $1) || ' '
                || (SELECT count(*) FROM messages m WHERE m.tenant = $1) AS counted
        FROM log_heads h WHERE h.tenant = $1",
        SIZES
    ),
    comparison!(
        "the log's positions, without gaps",
        "SELECT 'log' AS key, count(*) AS stored,
            coalesce(max(e.position) - min(e.position) + 1, 0) AS counted
        FROM events e WHERE e.tenant = $1"
    ),
    comparison!(
        "an event's message, thread and actor",
        "SELECT CAST(e.position AS text) AS key, 1 AS stored,
            CASE WHEN EXISTS (SELECT 1 FROM participants p WHERE p.tenant = $1
                    AND p.thread = e.thread AND p.user_number = e.actor)
                AND (e.kind = 3 OR EXISTS (SELECT 1 FROM messages m WHERE m.tenant = $1
                    AND m.id = e.message AND m.thread = e.thread AND m.sender = e.actor
                    AND (e.kind = 2 OR m.position = e.position)))
                THEN 1 ELSE 0 END AS counted
        FROM events e WHERE e.tenant = $1"
    ),
    comparison!(
        "who is told of an event",
        "SELECT CAST(e.position AS text) AS key,
            (SELECT count(*) FROM audience a WHERE a.tenant = $1
                AND a.position = e.position) AS stored,
            CASE WHEN e.kind = 3 THEN 1 ELSE (SELECT count(*) FROM participants p
                WHERE p.tenant = $1 AND p.thread = e.thread) END AS counted
        FROM events e WHERE e.tenant = $1"
    ),
    comparison!(
        "the event that somebody is told of",
        "SELECT CAST(a.position AS text) AS key, a.position AS stored, (SELECT e.position
            FROM events e WHERE e.tenant = $1 AND e.position = a.position) AS counted
        FROM audience a WHERE a.tenant = $1"
    ),
];
