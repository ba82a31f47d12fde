//! A batch: the turn, what it touches, and what it changed.

use super::super::save::TABLES;

/// Waits for a tenant's turn; no row: the tenant has no head yet.
pub(super) const TAKE_TURN: &str = "SELECT tenant FROM log_heads WHERE tenant = $1 FOR UPDATE";

/// Makes a tenant's head.
pub(super) const CREATE_HEAD: &str =
    "INSERT INTO log_heads (tenant) VALUES ($1) ON CONFLICT DO NOTHING";

/// What a batch touches: `$2` users, `$3` threads, `$4` messages, `$5` requests (user, id),
/// `$6` marks (user, thread, number).
pub(super) const LOAD: &str = concat!(
    "WITH
        found_requests AS MATERIALIZED (
            SELECT r.user_number, r.request_id, r.fingerprint, r.message, r.time
            FROM rows_of($5) AS i CROSS JOIN users u CROSS JOIN requests r
            WHERE u.tenant = $1 AND u.id = i.value->>0
            AND r.tenant = $1 AND r.user_number = u.number
            AND r.request_id = unhex(i.value->>1)),
        found_messages AS MATERIALIZED (
            SELECT m.* FROM (SELECT unhex(i.value->>0) AS id FROM rows_of($4) AS i
                UNION SELECT message FROM found_requests) AS w
            CROSS JOIN messages m WHERE m.tenant = $1 AND m.id = w.id),
        found_threads AS MATERIALIZED (
            SELECT t.* FROM (SELECT unhex(i.value->>0) AS id FROM rows_of($3) AS i
                UNION SELECT thread FROM found_messages) AS w
            CROSS JOIN threads t WHERE t.tenant = $1 AND t.id = w.id),
        found_participants AS MATERIALIZED (
            SELECT p.* FROM found_threads w CROSS JOIN participants p
            WHERE p.tenant = $1 AND p.thread = w.id),
        found_users AS MATERIALIZED (
            SELECT u.* FROM (SELECT user_number AS number FROM found_participants
                UNION SELECT n.number FROM rows_of($2) AS i CROSS JOIN users n
                    WHERE n.tenant = $1 AND n.id = i.value->>0) AS w
            CROSS JOIN users u WHERE u.tenant = $1 AND u.number = w.number)
        SELECT CAST(json_array(",
    head!(),
    ",
            (SELECT u.number FROM users u WHERE u.tenant = $1 ORDER BY u.number DESC LIMIT 1),
            (SELECT json_group_array(json_array(w.number, w.id,
                json_array(w.first_name, w.last_name, w.email), w.known_time,
                (SELECT json_array(b.inbox, b.unread, b.sent, b.deleted, b.total,
                    b.unread_messages) FROM mailboxes b
                    WHERE b.tenant = $1 AND b.user_number = w.number))) FROM found_users w),
            (SELECT json_group_array(json_array(hex(w.id), w.subject, w.create_time,
                w.update_time, w.starter, w.message_count,
                (SELECT json_array(l.sender, l.send_time, substr(l.content, 1, 200))
                    FROM messages l WHERE l.tenant = $1 AND l.thread = w.id
                    AND l.number = w.message_count))) FROM found_threads w),
            (SELECT json_group_array(json_array(hex(w.thread), w.user_number, w.place,
                w.placement, w.placement_time, w.read_number, w.unread_count, w.sent_count,
                w.last_sent_number, w.position) ORDER BY w.place) FROM found_participants w),
            (SELECT json_group_array(json_array(hex(w.id), hex(w.thread), w.number, w.sender,
                w.sender_count, w.position, w.content, w.send_time, w.edit_time, w.revision))
                FROM found_messages w),
            (SELECT json_group_array(json_array(w.user_number, hex(w.request_id), w.fingerprint,
                hex(w.message), w.time)) FROM found_requests w),
            (SELECT json_group_array(json_array(i.value->>0, i.value->>1,
                CAST(i.value->>2 AS bigint), coalesce(
                    (SELECT m.sender_count FROM messages m WHERE m.tenant = $1
                        AND m.thread = unhex(i.value->>1)
                        AND m.sender = (SELECT u.number FROM users u
                            WHERE u.tenant = $1 AND u.id = i.value->>0)
                        AND m.number <= CAST(i.value->>2 AS bigint)
                        ORDER BY m.number DESC LIMIT 1), 0))) FROM rows_of($6) AS i)
        ) AS text)"
);

/// What a batch saves, in the order of [`save::rows`](super::super::save::rows).
pub(super) const SAVES: [(&str, &str); TABLES] = [
    ("save_users", SAVE_USERS),
    ("add_threads", ADD_THREADS),
    ("save_threads", SAVE_THREADS),
    ("add_participants", ADD_PARTICIPANTS),
    ("save_participants", SAVE_PARTICIPANTS),
    ("add_messages", ADD_MESSAGES),
    ("save_messages", SAVE_MESSAGES),
    ("add_revisions", ADD_REVISIONS),
    ("add_requests", ADD_REQUESTS),
    ("save_mailboxes", SAVE_MAILBOXES),
    ("add_events", ADD_EVENTS),
    ("add_audience", ADD_AUDIENCE),
];

/// New users, and users newly known.
const SAVE_USERS: &str = "INSERT INTO users (tenant, number, id, known_time)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), r.value->>1, CAST(r.value->>2 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, number) DO UPDATE SET known_time = excluded.known_time";

macro_rules! add_threads {
    () => {
        "INSERT INTO threads (tenant, id, subject, create_time, update_time, starter,
            message_count)
        SELECT h.tenant, unhex(r.value->>0), r.value->>1, CAST(r.value->>2 AS bigint),
            CAST(r.value->>3 AS bigint), CAST(r.value->>4 AS bigint),
            CAST(r.value->>5 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1"
    };
}

/// New threads.
///
/// Where it is known that none is there, Postgres saves a fifth by not being asked to look.
const ADD_THREADS: &str = add_threads!();

/// What changes in threads.
const SAVE_THREADS: &str = concat!(
    add_threads!(),
    "
        ON CONFLICT (tenant, id) DO UPDATE SET subject = excluded.subject,
            update_time = excluded.update_time, message_count = excluded.message_count"
);

macro_rules! add_participants {
    () => {
        "INSERT INTO participants (tenant, thread, user_number, place, placement,
            placement_time, read_number, unread_count, sent_count, last_sent_number, position)
        SELECT h.tenant, unhex(r.value->>0), CAST(r.value->>1 AS bigint),
            CAST(r.value->>2 AS bigint), CAST(r.value->>3 AS bigint),
            CAST(r.value->>4 AS bigint), CAST(r.value->>5 AS bigint),
            CAST(r.value->>6 AS bigint), CAST(r.value->>7 AS bigint),
            CAST(r.value->>8 AS bigint), CAST(r.value->>9 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1"
    };
}

/// New participants.
///
/// Where it is known that none is there, Postgres saves a fifth by not being asked to look.
const ADD_PARTICIPANTS: &str = add_participants!();

/// What changes in participants.
const SAVE_PARTICIPANTS: &str = concat!(
    add_participants!(),
    "
        ON CONFLICT (tenant, thread, user_number) DO UPDATE SET placement = excluded.placement,
            placement_time = excluded.placement_time, read_number = excluded.read_number,
            unread_count = excluded.unread_count, sent_count = excluded.sent_count,
            last_sent_number = excluded.last_sent_number, position = excluded.position"
);

macro_rules! add_messages {
    () => {
        "INSERT INTO messages (tenant, id, thread, number, sender, sender_count,
            position, content, send_time, edit_time, revision)
        SELECT h.tenant, unhex(r.value->>0), unhex(r.value->>1), CAST(r.value->>2 AS bigint),
            CAST(r.value->>3 AS bigint), CAST(r.value->>4 AS bigint),
            CAST(r.value->>5 AS bigint), r.value->>6, CAST(r.value->>7 AS bigint),
            CAST(r.value->>8 AS bigint), CAST(r.value->>9 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1"
    };
}

/// New messages.
///
/// Where it is known that none is there, Postgres saves a fifth by not being asked to look.
const ADD_MESSAGES: &str = add_messages!();

/// What changes in messages.
const SAVE_MESSAGES: &str = concat!(
    add_messages!(),
    "
        ON CONFLICT (tenant, thread, number) DO UPDATE SET content = excluded.content,
            edit_time = excluded.edit_time, revision = excluded.revision"
);

/// Former contents.
const ADD_REVISIONS: &str =
    "INSERT INTO revisions (tenant, message, revision, content, replace_time)
        SELECT h.tenant, unhex(r.value->>0), CAST(r.value->>1 AS bigint), r.value->>2,
            CAST(r.value->>3 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

/// Requests carried out.
const ADD_REQUESTS: &str =
    "INSERT INTO requests (tenant, user_number, request_id, fingerprint, message,
            time)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), unhex(r.value->>1), r.value->>2,
            unhex(r.value->>3), CAST(r.value->>4 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

/// Counts.
const SAVE_MAILBOXES: &str =
    "INSERT INTO mailboxes (tenant, user_number, inbox, unread, sent, deleted,
            total, unread_messages)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), CAST(r.value->>1 AS bigint),
            CAST(r.value->>2 AS bigint), CAST(r.value->>3 AS bigint),
            CAST(r.value->>4 AS bigint), CAST(r.value->>5 AS bigint),
            CAST(r.value->>6 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, user_number) DO UPDATE SET inbox = excluded.inbox,
            unread = excluded.unread, sent = excluded.sent, deleted = excluded.deleted,
            total = excluded.total, unread_messages = excluded.unread_messages";

/// Events.
const ADD_EVENTS: &str =
    "INSERT INTO events (tenant, position, id, kind, time, thread, message, actor,
            request_id)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), unhex(r.value->>1),
            CAST(r.value->>2 AS bigint), CAST(r.value->>3 AS bigint), unhex(r.value->>4),
            unhex(r.value->>5), CAST(r.value->>6 AS bigint), unhex(r.value->>7)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

/// Who is told.
const ADD_AUDIENCE: &str = "INSERT INTO audience (tenant, user_number, position)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), CAST(r.value->>1 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";
