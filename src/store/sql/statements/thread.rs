//! A thread: a page of its messages, read in either direction.

/// How many bytes of content a page of messages holds at most, before the last one.
///
/// The page that is sent is cut by its encoded size, which is larger.
macro_rules! page_bytes {
    () => {
        "2097152"
    };
}

/// A page of a thread: `$3` the thread, `$4` the number to read from, `$5` how many.
///
/// Whoever takes no part in it has no row in `mine`, and so reads nothing.
macro_rules! thread_page {
    ($messages:expr, $message:expr, $behind:expr, $order:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", mine AS MATERIALIZED (SELECT * FROM participants WHERE tenant = $1 AND thread = $3
                    AND user_number = (SELECT number FROM me)),
            page AS MATERIALIZED (SELECT m.*, sum(m.bytes) OVER (ORDER BY m.number ",
            $order,
            ") - m.bytes AS bytes_before FROM (",
            $messages,
            ") AS m), ",
            parts!("mine"),
            " SELECT CAST(json_array(",
            head!(),
            ", CASE WHEN ",
            $behind,
            " THEN 1 ELSE 0 END, ",
            listed!("mine"),
            ", (SELECT json_group_array(",
            $message,
            ") FROM page m)) AS text)"
        )
    };
}

/// A message of a page, or what is left of it where the page is full.
macro_rules! paged {
    () => {
        concat!(
            "json_array(concat_ws(' ', hex(m.id), m.number, m.sender, m.revision, m.send_time,
                m.edit_time), CASE WHEN bytes_before < ",
            page_bytes!(),
            " THEN m.content END)"
        )
    };
}

/// A thread's messages, from a number on.
macro_rules! messages {
    ($from:expr, $order:expr) => {
        concat!(
            "SELECT m.*, octet_length(m.content) AS bytes FROM messages m
                WHERE EXISTS (SELECT 1 FROM mine)
                AND m.tenant = $1 AND m.thread = $3 AND m.number ",
            $from,
            " ORDER BY m.number ",
            $order,
            " LIMIT $5"
        )
    };
}

/// The same without one sender's (`$6`): their numbers only, which are then looked up.
macro_rules! messages_of_others {
    ($from:expr, $order:expr) => {
        concat!(
            "SELECT n.number, n.number AS wanted, (SELECT octet_length(m.content) FROM messages m
                WHERE m.tenant = $1 AND m.thread = $3 AND m.number = n.number) AS bytes
                FROM (",
            numbers_of_others!($from, $order, "$5"),
            ") AS n"
        )
    };
}

macro_rules! look_up {
    () => {
        concat!(
            "(SELECT ",
            paged!(),
            " FROM messages m
                WHERE m.tenant = $1 AND m.thread = $3 AND m.number = wanted)"
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

/// A thread's messages upwards from a number.
pub(super) const THREAD_ASCENDING: &str = thread_page!(
    messages!("> $4", "ASC"),
    paged!(),
    "coalesce((SELECT min(number) FROM page), $4 + 1) > 1",
    "ASC"
);
/// A thread's messages downwards from a number.
pub(super) const THREAD_DESCENDING: &str = thread_page!(
    messages!("< $4", "DESC"),
    paged!(),
    "coalesce((SELECT max(number) FROM page), $4 - 1)
            < (SELECT message_count FROM threads WHERE tenant = $1 AND id = $3)",
    "DESC"
);
/// The same upwards, without those of one sender.
pub(super) const THREAD_ASCENDING_OF_OTHERS: &str = thread_page!(
    messages_of_others!("> $4", "ASC"),
    look_up!(),
    concat!(
        "EXISTS (",
        numbers_of_others!(
            "< coalesce((SELECT min(number) FROM page), $4 + 1)",
            "DESC",
            "1"
        ),
        ")"
    ),
    "ASC"
);
/// The same downwards, without those of one sender.
pub(super) const THREAD_DESCENDING_OF_OTHERS: &str = thread_page!(
    messages_of_others!("< $4", "DESC"),
    look_up!(),
    concat!(
        "EXISTS (",
        numbers_of_others!(
            "> coalesce((SELECT max(number) FROM page), $4 - 1)",
            "ASC",
            "1"
        ),
        ")"
    ),
    "DESC"
);
