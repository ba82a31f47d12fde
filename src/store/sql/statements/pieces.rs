//! The pieces that statements are put together from.

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

/// All that is kept of the user `u`.
macro_rules! user_record {
    () => {
        "json_array(u.id, json_array(u.first_name, u.last_name, u.email), u.known_time,
            u.profile_time, u.deactivated_time)"
    };
}

/// The number of the user of this id.
macro_rules! user_number {
    ($id:expr) => {
        concat!(
            "(SELECT u.number FROM users u WHERE u.tenant = $1 AND u.id = ",
            $id,
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

/// The counts of the user of this number: beside the newest event that tells of something, or put
/// aside where that is no longer kept; null where there are none.
macro_rules! mailbox {
    ($number:expr) => {
        mailbox!(
            concat!(
                "audience a WHERE a.tenant = $1 AND a.user_number = ",
                $number,
                " ORDER BY a.position DESC LIMIT 1"
            ),
            $number
        )
    };
    ($newest:expr, $number:expr) => {
        concat!(
            "coalesce((SELECT CASE WHEN a.inbox IS NOT NULL THEN json_array(a.inbox, a.unread,
                    a.sent, a.deleted, a.total, a.unread_messages) END FROM ",
            $newest,
            "),
                (SELECT json_array(b.inbox, b.unread, b.sent, b.deleted, b.total,
                    b.unread_messages)
                FROM mailboxes_at_rest b WHERE b.tenant = $1 AND b.user_number = ",
            $number,
            "))"
        )
    };
}

/// The caller's number, the first of a statement's WITH.
macro_rules! me {
    () => {
        "me AS MATERIALIZED (SELECT number FROM users WHERE tenant = $1 AND id = $2)"
    };
}

/// The caller, what tells them of something last, which is the edition of their pages, and their number
/// again as `viewer`, unless the page is known in that edition (`$6`, `$7`): then there is
/// nobody to find rows for.
///
/// One statement, and not a look before it: to prepare what is not run costs less than a second trip.
macro_rules! viewer {
    () => {
        concat!(
            me!(),
            ", told AS MATERIALIZED (SELECT a.*,
                    (SELECT e.id FROM events e WHERE e.tenant = $1 AND e.position = a.position)
                        AS event,
                    (SELECT h.profiles FROM log_heads h WHERE h.tenant = $1) AS profiles
                    FROM audience a WHERE a.tenant = $1
                    AND a.user_number = (SELECT number FROM me) ORDER BY a.position DESC LIMIT 1),
                viewer AS MATERIALIZED (SELECT number FROM me WHERE NOT EXISTS (
                    SELECT 1 FROM told WHERE event = $6 AND profiles = $7))"
        )
    };
}

/// The edition that a page is read in.
macro_rules! edition {
    () => {
        "(SELECT json_array(hex(event), profiles) FROM told)"
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
                t.last_time, ",
            user!("t.last_sender"),
            ", t.snippet,
                CASE WHEN t.starter = p.user_number THEN 1 ELSE 0 END)
            FROM threads t WHERE t.tenant = $1 AND t.id = p.thread)"
        )
    };
}

/// Threads as the participants in these rows see them: the numbers of each in one text, with how long
/// its texts are, and these in another; and who takes part.
macro_rules! seen {
    ($participations:expr) => {
        concat!(
            "SELECT concat_ws(' ', p.position, hex(t.id), t.create_time, t.update_time, t.starter,
                    t.message_count, p.user_number, p.placement, p.read_number, p.unread_count,
                    t.last_sender, t.last_time, t.people, octet_length(t.subject),
                    octet_length(t.snippet)) AS numbers,
                t.people AS people, t.subject || t.snippet AS texts FROM ",
            $participations,
            " p CROSS JOIN EACH threads t WHERE t.tenant = $1 AND t.id = p.thread DONE"
        )
    };
}

/// Several threads, one after the other.
macro_rules! listed {
    ($participations:expr) => {
        concat!(
            "listed AS MATERIALIZED (SELECT string_agg(v.numbers, ' ') AS numbers,
                string_agg(v.people, ',') AS people, string_agg(v.texts, '') AS texts FROM (",
            seen!($participations),
            " LIMIT 1000) AS v)"
        )
    };
}

/// A page's answer, in fields between record separators, which JSON does not hold: JSON of what
/// there is one of, and of the people; the threads' numbers; other numbers; and last the texts, which
/// may hold anything.
///
/// People are told apart from rows, since they are the same ones again and again. The rest is no
/// JSON, which costs by the element and by the byte, when it is written and when it is read.
macro_rules! page_answer {
    ($one:expr, $numbers:expr, $texts:expr) => {
        concat!(
            " SELECT concat_ws('\u{1e}', CAST(json_array(",
            $one,
            ", (SELECT json_group_array(json_array(u.number, u.id,
                    json_array(u.first_name, u.last_name, u.email)))
                FROM (SELECT DISTINCT n.value AS number FROM listed
                    CROSS JOIN numbers_of(people) AS n) AS w
                CROSS JOIN EACH users u WHERE u.tenant = $1 AND u.number = w.number DONE)
                ) AS text),
            coalesce((SELECT numbers FROM listed), ''), ",
            $numbers,
            "coalesce((SELECT texts FROM listed), '')",
            $texts,
            ")"
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
