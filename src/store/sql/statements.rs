//! The statements, each written once, in SQLite's dialect.
//!
//! The rules that they keep, tests hold: every table in every statement, inside subqueries too,
//! carries `tenant = $1`; a set-based INSERT takes the tenant from the head row, and is one
//! INSERT a statement, so that a distributed Postgres runs it where the tenant lies; ids, times
//! and chance are parameters; every walk goes along an index and ends at a LIMIT.
//!
//! What is spelt for [`Backend::dialect`](super::Backend::dialect) to translate: `json_array(`,
//! `json_group_array(`, `rows_of(` (a parameter's rows, the column is `value`), `elements_of(` (a
//! JSON array's elements), `unhex(` (text to id), `hex(` (id to text), ` FOR UPDATE`.
//!
//! `CROSS JOIN` says the order of a join, which SQLite keeps: from the few to the indexed.

use std::sync::Arc;

/// How many bytes of content a page of messages holds at most, before the last one.
///
/// The page that is sent is cut by its encoded size, which is larger.
macro_rules! page_bytes {
    () => {
        "2097152"
    };
}

/// How many bytes of content a page of the log holds at most, before the last event.
macro_rules! log_page_bytes {
    () => {
        "1048576"
    };
}

/// The user of this number, as others see them.
macro_rules! user {
    ($number:expr) => {
        concat!(
            "(SELECT json_array(u.id, json_array(u.first_name, u.last_name, u.email)) ",
            "FROM users u WHERE u.tenant = $1 AND u.number = ",
            $number,
            ")"
        )
    };
}

/// The newest position of the log.
macro_rules! head {
    () => {
        "(SELECT json_array(e.position, hex(e.id)) FROM events e WHERE e.tenant = $1
            ORDER BY e.position DESC LIMIT 1)"
    };
}

/// The counts of the user in `me`.
macro_rules! mailbox {
    () => {
        "(SELECT json_array(b.inbox, b.unread, b.sent, b.deleted, b.total, b.unread_messages)
            FROM mailboxes b WHERE b.tenant = $1 AND b.user_number = (SELECT number FROM me))"
    };
}

/// The caller's number, the first of a statement's WITH.
macro_rules! me {
    () => {
        "me AS MATERIALIZED (SELECT number FROM users WHERE tenant = $1 AND id = $2)"
    };
}

/// The thread `t` as all see it.
macro_rules! thread {
    () => {
        concat!(
            "json_array(hex(t.id), t.subject, t.create_time, t.update_time, t.message_count,
                (SELECT json_group_array(",
            user!("o.user_number"),
            " ORDER BY o.place) FROM participants o WHERE o.tenant = $1 AND o.thread = t.id))"
        )
    };
}

/// The thread of the participant `p`, as that participant sees it.
///
/// What belongs to a row is looked up by subqueries that answer with one value, and not joined:
/// a planner that is free to choose takes a thread's messages for few, and one day reads them all.
macro_rules! view {
    () => {
        concat!(
            "(SELECT json_array(",
            thread!(),
            ", p.placement, p.read_number, p.unread_count, t.create_time,
                (SELECT json_array(l.send_time, ",
            user!("l.sender"),
            ", substr(l.content, 1, 200)) FROM messages l
                    WHERE l.tenant = $1 AND l.thread = t.id AND l.number = t.message_count),
                CASE WHEN t.starter = p.user_number THEN 1 ELSE 0 END)
            FROM threads t WHERE t.tenant = $1 AND t.id = p.thread)"
        )
    };
}

/// The message `m` as its readers see it, with this for its content.
macro_rules! message {
    ($content:expr) => {
        concat!(
            "json_array(hex(m.id), hex(m.thread), m.number, ",
            user!("m.sender"),
            ", ",
            $content,
            ", m.send_time, m.edit_time, m.revision)"
        )
    };
}

/// The caller's threads that match, from a position on.
macro_rules! range {
    ($matches:expr, $from:expr, $order:expr) => {
        concat!(
            "SELECT r.thread, r.user_number, r.position, r.placement, r.read_number, r.unread_count
              FROM participants r WHERE r.tenant = $1 AND r.user_number = (SELECT number FROM me) AND ",
            $matches,
            " AND r.position ",
            $from,
            " ORDER BY r.position ",
            $order
        )
    };
}

/// Whether one of the caller's threads that match lies there.
macro_rules! exists {
    ($matches:expr, $there:expr) => {
        concat!(
            "EXISTS (SELECT 1 FROM participants r WHERE r.tenant = $1
                AND r.user_number = (SELECT number FROM me) AND ",
            $matches,
            " AND r.position ",
            $there,
            ")"
        )
    };
}

/// Before a page that is read forward, from the newest on, and before one that is read backward.
macro_rules! before_forward {
    () => {
        "> coalesce((SELECT max(position) FROM page), $3 - 1)"
    };
}

macro_rules! before_backward {
    () => {
        "< coalesce((SELECT min(position) FROM page), $3 + 1)"
    };
}

/// A page of an inbox: `$3` the position to read from, `$4` how many, `$5` how many to leap.
macro_rules! inbox {
    ($page:expr, $behind:expr, $order:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", page AS MATERIALIZED (",
            $page,
            " LIMIT $4 OFFSET $5)
            SELECT CAST(json_array(",
            head!(),
            ", ",
            mailbox!(),
            ", CASE WHEN ",
            $behind,
            " THEN 1 ELSE 0 END,
                (SELECT json_group_array(json_array(p.position, ",
            view!(),
            ") ORDER BY p.position ",
            $order,
            ") FROM page p)) AS text)"
        )
    };
}

/// Forward is from the newest on, down to the oldest.
macro_rules! inbox_forward {
    ($matches:expr) => {
        inbox!(
            range!($matches, "< $3", "DESC"),
            exists!($matches, before_forward!()),
            "DESC"
        )
    };
}

macro_rules! inbox_backward {
    ($matches:expr) => {
        inbox!(
            range!($matches, "> $3", "ASC"),
            exists!($matches, before_backward!()),
            "ASC"
        )
    };
}

/// All of a user's threads: the ranges of the three placements, merged.
macro_rules! inbox_all {
    ($from:expr, $behind:expr, $order:expr) => {
        inbox!(
            concat!(
                "SELECT * FROM (
                    SELECT * FROM (",
                range!("r.placement = 1", $from, $order),
                " LIMIT $4 + $5) AS a UNION ALL SELECT * FROM (",
                range!("r.placement = 2", $from, $order),
                " LIMIT $4 + $5) AS b UNION ALL SELECT * FROM (",
                range!("r.placement = 3", $from, $order),
                " LIMIT $4 + $5) AS c) AS ranges ORDER BY position ",
                $order
            ),
            concat!(
                exists!("r.placement = 1", $behind),
                " OR ",
                exists!("r.placement = 2", $behind),
                " OR ",
                exists!("r.placement = 3", $behind)
            ),
            $order
        )
    };
}

/// A page of a thread: `$3` the thread, `$4` the number to read from, `$5` how many.
///
/// Whoever takes no part in it has no row in `mine`, and so reads nothing.
macro_rules! thread_page {
    ($messages:expr, $behind:expr, $order:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", mine AS MATERIALIZED (SELECT * FROM participants WHERE tenant = $1 AND thread = $3
                    AND user_number = (SELECT number FROM me)),
            page AS MATERIALIZED (SELECT m.*, sum(octet_length(m.content)) OVER (ORDER BY m.number ",
            $order,
            ") - octet_length(m.content) AS bytes_before FROM (",
            $messages,
            ") AS m)
            SELECT CAST(json_array(",
            head!(),
            ", (SELECT ",
            view!(),
            " FROM mine p), CASE WHEN ",
            $behind,
            " THEN 1 ELSE 0 END,
            (SELECT json_group_array(",
            message!(concat!(
                "CASE WHEN m.bytes_before < ",
                page_bytes!(),
                " THEN m.content END"
            )),
            " ORDER BY m.number ",
            $order,
            ") FROM page m)) AS text)"
        )
    };
}

/// A thread's messages, from a number on.
macro_rules! messages {
    ($from:expr, $order:expr) => {
        concat!(
            "SELECT m.* FROM messages m WHERE EXISTS (SELECT 1 FROM mine)
                AND m.tenant = $1 AND m.thread = $3 AND m.number ",
            $from,
            " ORDER BY m.number ",
            $order,
            " LIMIT $5"
        )
    };
}

/// The same without one sender's (`$6`).
macro_rules! messages_of_others {
    ($from:expr, $order:expr) => {
        concat!(
            "SELECT m.* FROM (",
            numbers_of_others!($from, $order, "$5"),
            ") AS n CROSS JOIN messages m
                WHERE m.tenant = $1 AND m.thread = $3 AND m.number = n.number"
        )
    };
}

/// The numbers of the other participants' messages: those of each, merged.
macro_rules! numbers_of_others {
    ($from:expr, $order:expr, $limit:expr) => {
        concat!(
            "SELECT number FROM (
                SELECT CAST(CAST(n.value AS text) AS bigint) AS number
                FROM mine CROSS JOIN participants o CROSS JOIN elements_of((
                    SELECT json_group_array(own.number) FROM (
                        SELECT m.number FROM messages m WHERE m.tenant = $1 AND m.thread = $3
                        AND m.sender = o.user_number AND m.number ",
            $from,
            " ORDER BY m.number ",
            $order,
            " LIMIT ",
            $limit,
            ") AS own)) AS n
                WHERE o.tenant = $1 AND o.thread = $3 AND o.user_number <> coalesce(
                    (SELECT number FROM users WHERE tenant = $1 AND id = $6), 0)
            ) AS merged ORDER BY number ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

/// A page of the log: `$2` the reader, `$3` the position to read after, `$4` how many rows.
macro_rules! log_page {
    ($scanned:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", scanned AS MATERIALIZED (SELECT s.*, sum(s.bytes) OVER (ORDER BY s.position)
                    - s.bytes AS bytes_before
                FROM (",
            $scanned,
            " LIMIT $4) AS s),
            page AS MATERIALIZED (SELECT * FROM scanned WHERE bytes_before < ",
            log_page_bytes!(),
            ")
            SELECT CAST(json_array(
                (SELECT hex(e.id) FROM events e WHERE e.tenant = $1 AND e.position = $3),
                (SELECT e.position FROM events e WHERE e.tenant = $1
                    ORDER BY e.position LIMIT 1),",
            head!(),
            ",
                (SELECT count(*) FROM scanned),
                (SELECT json_group_array(json_array(e.position, hex(e.id), e.kind, e.time,
                    hex(e.thread), hex(e.request_id),
                    (SELECT u.id FROM users u WHERE u.tenant = $1 AND u.number = e.actor),
                    (SELECT json_group_array(u.id) FROM audience a CROSS JOIN users u
                        WHERE a.tenant = $1 AND a.position = e.position
                        AND u.tenant = $1 AND u.number = a.user_number),
                    (SELECT ",
            message!("m.content"),
            " FROM messages m WHERE m.tenant = $1 AND m.id = e.message),
                    CASE WHEN e.kind = 3 THEN (SELECT ",
            view!(),
            " FROM participants p WHERE p.tenant = $1 AND p.thread = e.thread
                        AND p.user_number = e.actor) END
                    ) ORDER BY e.position) FROM page e),
                (SELECT json_group_array((SELECT ",
            thread!(),
            " FROM threads t WHERE t.tenant = $1 AND t.id = w.id))
                    FROM (SELECT DISTINCT e.thread AS id FROM page e WHERE e.kind <> 3) AS w)
            ) AS text)"
        )
    };
}

/// What a page of the log needs of an event.
macro_rules! scanned {
    () => {
        "SELECT e.*, coalesce((SELECT octet_length(m.content) FROM messages m
                    WHERE m.tenant = $1 AND m.id = e.message), 0) AS bytes "
    };
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        /// The statements, in one database's dialect.
        pub(crate) struct Statements {
            $($(#[$doc])* pub(super) $name: Arc<str>,)*
        }

        impl Statements {
            /// The statements as a database wants them.
            pub(crate) fn translated(dialect: impl Fn(&str) -> String) -> Self {
                Self { $($name: dialect($sql).into(),)* }
            }

            /// All of them with their names, for the tests that hold the rules.
            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, &Arc<str>)> {
                vec![$((stringify!($name), &self.$name),)*]
            }
        }
    };
}

statements! {
    /// The deployment's secret.
    secret = "SELECT hex(token_key) FROM deployment WHERE one = 1";

    /// Waits for a tenant's turn; no row: the tenant has no head yet.
    take_turn = "SELECT tenant FROM log_heads WHERE tenant = $1 FOR UPDATE";

    /// Makes a tenant's head.
    create_head = "INSERT INTO log_heads (tenant) VALUES ($1) ON CONFLICT DO NOTHING";

    /// What a batch touches: `$2` users, `$3` threads, `$4` messages, `$5` requests (user, id),
    /// `$6` marks (user, thread, number).
    load = concat!("WITH
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
            head!(), ",
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
        ) AS text)");

    /// New users, and users newly known.
    save_users = "INSERT INTO users (tenant, number, id, known_time)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), r.value->>1, CAST(r.value->>2 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, number) DO UPDATE SET known_time = excluded.known_time";

    /// New threads, and what changes in one.
    save_threads = "INSERT INTO threads (tenant, id, subject, create_time, update_time, starter,
            message_count)
        SELECT h.tenant, unhex(r.value->>0), r.value->>1, CAST(r.value->>2 AS bigint),
            CAST(r.value->>3 AS bigint), CAST(r.value->>4 AS bigint),
            CAST(r.value->>5 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, id) DO UPDATE SET subject = excluded.subject,
            update_time = excluded.update_time, message_count = excluded.message_count";

    /// New participants, and what changes in one.
    save_participants = "INSERT INTO participants (tenant, thread, user_number, place, placement,
            placement_time, read_number, unread_count, sent_count, last_sent_number, position)
        SELECT h.tenant, unhex(r.value->>0), CAST(r.value->>1 AS bigint),
            CAST(r.value->>2 AS bigint), CAST(r.value->>3 AS bigint),
            CAST(r.value->>4 AS bigint), CAST(r.value->>5 AS bigint),
            CAST(r.value->>6 AS bigint), CAST(r.value->>7 AS bigint),
            CAST(r.value->>8 AS bigint), CAST(r.value->>9 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, thread, user_number) DO UPDATE SET placement = excluded.placement,
            placement_time = excluded.placement_time, read_number = excluded.read_number,
            unread_count = excluded.unread_count, sent_count = excluded.sent_count,
            last_sent_number = excluded.last_sent_number, position = excluded.position";

    /// New messages, and what an edit changes in one.
    save_messages = "INSERT INTO messages (tenant, id, thread, number, sender, sender_count,
            position, content, send_time, edit_time, revision)
        SELECT h.tenant, unhex(r.value->>0), unhex(r.value->>1), CAST(r.value->>2 AS bigint),
            CAST(r.value->>3 AS bigint), CAST(r.value->>4 AS bigint),
            CAST(r.value->>5 AS bigint), r.value->>6, CAST(r.value->>7 AS bigint),
            CAST(r.value->>8 AS bigint), CAST(r.value->>9 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1
        ON CONFLICT (tenant, thread, number) DO UPDATE SET content = excluded.content,
            edit_time = excluded.edit_time, revision = excluded.revision";

    /// Former contents.
    save_revisions = "INSERT INTO revisions (tenant, message, revision, content, replace_time)
        SELECT h.tenant, unhex(r.value->>0), CAST(r.value->>1 AS bigint), r.value->>2,
            CAST(r.value->>3 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

    /// Requests carried out.
    save_requests = "INSERT INTO requests (tenant, user_number, request_id, fingerprint, message,
            time)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), unhex(r.value->>1), r.value->>2,
            unhex(r.value->>3), CAST(r.value->>4 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

    /// Counts.
    save_mailboxes = "INSERT INTO mailboxes (tenant, user_number, inbox, unread, sent, deleted,
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
    save_events = "INSERT INTO events (tenant, position, id, kind, time, thread, message, actor,
            request_id)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), unhex(r.value->>1),
            CAST(r.value->>2 AS bigint), CAST(r.value->>3 AS bigint), unhex(r.value->>4),
            unhex(r.value->>5), CAST(r.value->>6 AS bigint), unhex(r.value->>7)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

    /// Who is told.
    save_audience = "INSERT INTO audience (tenant, user_number, position)
        SELECT h.tenant, CAST(r.value->>0 AS bigint), CAST(r.value->>1 AS bigint)
        FROM log_heads h CROSS JOIN rows_of($2) AS r WHERE h.tenant = $1";

    /// Whether the log holds an event (`$3`) at a position (`$2`).
    holds_event = "SELECT tenant FROM events WHERE tenant = $1 AND position = $2 AND id = $3";

    /// The first position to keep, among the `$3` oldest: the last event older than `$2`.
    first_kept = "WITH oldest AS MATERIALIZED (SELECT position, time FROM events
            WHERE tenant = $1 ORDER BY position LIMIT $3)
        SELECT CAST(json_array(coalesce(
            (SELECT min(position) - 1 FROM oldest WHERE time >= $2),
            (SELECT max(position) FROM oldest)), (SELECT min(position) FROM oldest)) AS text)";

    /// Removes events before a position.
    expire_events = "DELETE FROM events WHERE tenant = $1 AND position < $2";

    /// Removes who was told of events before a position.
    expire_audience = "DELETE FROM audience WHERE tenant = $1 AND position < $2";

    /// Removes request ids older than `$2`, at most `$3`.
    expire_requests = "DELETE FROM requests WHERE tenant = $1 AND (user_number, request_id) IN (
            SELECT user_number, request_id FROM requests WHERE tenant = $1 AND time < $2
            ORDER BY time LIMIT $3)";

    /// The tenants that hold events older than `$1` (more than the one that is kept), or request
    /// ids older than `$2`.
    tenants_to_expire = "SELECT CAST(json_group_array(h.tenant) AS text) FROM log_heads h
        WHERE (SELECT e.time FROM events e WHERE e.tenant = h.tenant
            ORDER BY e.position LIMIT 1 OFFSET 1) < $1
        OR EXISTS (SELECT 1 FROM requests r WHERE r.tenant = h.tenant AND r.time < $2)";

    /// A user's counts.
    summary = concat!("WITH ", me!(), " SELECT CAST(json_array(", head!(), ", ", mailbox!(), ",
        ", user!("(SELECT number FROM me)"), ") AS text)");

    /// Whether a thread exists.
    has_thread = "SELECT tenant FROM threads WHERE tenant = $1 AND id = $2";

    /// Whether a user (`$2`) takes part in a thread (`$3`).
    takes_part = concat!("WITH ", me!(), " SELECT tenant FROM participants
        WHERE tenant = $1 AND thread = $3 AND user_number = (SELECT number FROM me)");

    /// The threads of one placement (`$6`).
    inbox_placed = inbox_forward!("r.placement = $6");
    /// The same, backwards.
    inbox_placed_backward = inbox_backward!("r.placement = $6");
    /// The inbox's unread.
    inbox_unread = inbox_forward!("r.placement = 1 AND r.unread_count > 0");
    /// The same, backwards.
    inbox_unread_backward = inbox_backward!("r.placement = 1 AND r.unread_count > 0");
    /// Threads in which the caller has sent something.
    inbox_sent = inbox_forward!("r.placement <> 3 AND r.sent_count > 0");
    /// The same, backwards.
    inbox_sent_backward = inbox_backward!("r.placement <> 3 AND r.sent_count > 0");
    /// Everything.
    inbox_all = inbox_all!("< $3", before_forward!(), "DESC");
    /// The same, backwards.
    inbox_all_backward = inbox_all!("> $3", before_backward!(), "ASC");

    /// A thread's messages upwards from a number.
    thread_ascending = thread_page!(
        messages!("> $4", "ASC"),
        "coalesce((SELECT min(number) FROM page), $4 + 1) > 1",
        "ASC"
    );
    /// A thread's messages downwards from a number.
    thread_descending = thread_page!(
        messages!("< $4", "DESC"),
        "coalesce((SELECT max(number) FROM page), $4 - 1)
            < (SELECT message_count FROM threads WHERE tenant = $1 AND id = $3)",
        "DESC"
    );
    /// The same upwards, without those of one sender.
    thread_ascending_of_others = thread_page!(
        messages_of_others!("> $4", "ASC"),
        concat!("EXISTS (", numbers_of_others!(
            "< coalesce((SELECT min(number) FROM page), $4 + 1)", "DESC", "1"), ")"),
        "ASC"
    );
    /// The same downwards, without those of one sender.
    thread_descending_of_others = thread_page!(
        messages_of_others!("< $4", "DESC"),
        concat!("EXISTS (", numbers_of_others!(
            "> coalesce((SELECT max(number) FROM page), $4 - 1)", "ASC", "1"), ")"),
        "DESC"
    );

    /// A point of the log: the event there, the oldest position, when the next event was written.
    log_point = "SELECT CAST(json_array(
            (SELECT hex(e.id) FROM events e WHERE e.tenant = $1 AND e.position = $2),
            (SELECT e.position FROM events e WHERE e.tenant = $1 ORDER BY e.position LIMIT 1),
            (SELECT e.time FROM events e WHERE e.tenant = $1 AND e.position = $2 + 1)) AS text)";

    /// The log, for one user.
    log_of_user = log_page!(concat!(scanned!(), "FROM audience a CROSS JOIN events e
        WHERE a.tenant = $1 AND a.user_number = (SELECT number FROM me) AND a.position > $3
        AND e.tenant = $1 AND e.position = a.position ORDER BY a.position"));
    /// The log, for whoever may see everything.
    log_of_everyone = log_page!(concat!(scanned!(), "FROM events e
        WHERE e.tenant = $1 AND e.position > $3 ORDER BY e.position"));

    /// Where the logs of several tenants (`$1`) end.
    log_heads = "SELECT CAST(json_group_array(json_array(h.tenant,
            (SELECT json_array(e.position, hex(e.id)) FROM events e WHERE e.tenant = h.tenant
                ORDER BY e.position DESC LIMIT 1))) AS text)
        FROM rows_of($1) AS r CROSS JOIN log_heads h WHERE h.tenant = r.value->>0";
}
