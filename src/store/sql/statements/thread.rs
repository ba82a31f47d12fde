//! A thread: a page of its messages, read in either direction.

/// How many characters of content a page of messages holds at most. A message that does not fit is
/// for the next one: this is more than the largest alone.
///
/// The page that is sent is cut by its encoded size, which is larger.
macro_rules! page_bytes {
    () => {
        "2097152"
    };
}

/// A page of a thread: `$3` the thread, `$4` the number to read from, `$5` how many, `$6` and `$7` the
/// edition that it is known in. Whether something lies behind it follows from its numbers, or is
/// asked for.
///
/// Whoever takes no part in it has no row in `mine`, and so reads nothing.
macro_rules! thread_page {
    ($page:expr, $messages:expr, $behind:expr) => {
        concat!(
            "WITH ",
            viewer!(),
            ", mine AS MATERIALIZED (SELECT * FROM participants WHERE tenant = $1 AND thread = $3
                    AND user_number = (SELECT number FROM viewer)), ",
            $page,
            // To gather what is at most one row would be a tenth of what the page costs Postgres.
            "listed AS MATERIALIZED (",
            seen!("mine"),
            "), ",
            contents!($messages),
            page_answer!(
                concat!(head!(), ", ", edition!(), ", ", $behind),
                "(SELECT coalesce(numbers, '') FROM contents), ",
                " || (SELECT coalesce(texts, '') FROM contents)"
            )
        )
    };
}

/// Messages: their numbers, and their contents.
macro_rules! contents {
    ($messages:expr) => {
        concat!(
            "contents AS MATERIALIZED (SELECT
                string_agg(concat_ws(' ', hex(m.id), m.number, m.sender, m.revision,
                    m.send_time, coalesce(m.edit_time, 0), octet_length(m.content)), ' ')
                    AS numbers,
                CASE WHEN sum(octet_length(m.content)) <= ",
            page_bytes!(),
            " THEN string_agg(m.content, '') ELSE substr(string_agg(m.content, ''), 1, ",
            page_bytes!(),
            ") END AS texts FROM (",
            $messages,
            ") AS m)"
        )
    };
}

/// A thread's messages, from a number on.
macro_rules! messages {
    ($from:expr, $order:expr) => {
        concat!(
            "SELECT m.* FROM messages m WHERE m.tenant = $1
                AND m.thread = (SELECT thread FROM mine) AND m.number ",
            $from,
            " ORDER BY m.number ",
            $order,
            " LIMIT $5"
        )
    };
}

/// The same without one sender's (`$8`): their numbers first, by which they are looked up.
macro_rules! page_of_others {
    ($from:expr, $order:expr) => {
        concat!(
            "page AS MATERIALIZED (",
            numbers_of_others!($from, $order, "$5"),
            "), "
        )
    };
}

macro_rules! look_up {
    () => {
        "SELECT m.* FROM page n CROSS JOIN EACH messages m WHERE m.tenant = $1 AND m.thread = $3
            AND m.number = n.number DONE"
    };
}

macro_rules! behind_others {
    ($there:expr, $order:expr) => {
        concat!(
            "CASE WHEN EXISTS (",
            numbers_of_others!($there, $order, "1"),
            ") THEN 1 ELSE 0 END"
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
                    (SELECT number FROM users WHERE tenant = $1 AND id = $8), 0)
            ) AS merged ORDER BY number ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

/// A thread's messages upwards from a number.
pub(super) const THREAD_ASCENDING: &str = thread_page!("", messages!("> $4", "ASC"), "NULL");
/// A thread's messages downwards from a number.
pub(super) const THREAD_DESCENDING: &str = thread_page!("", messages!("< $4", "DESC"), "NULL");
/// The same upwards, without those of one sender.
pub(super) const THREAD_ASCENDING_OF_OTHERS: &str = thread_page!(
    page_of_others!("> $4", "ASC"),
    look_up!(),
    behind_others!("< coalesce((SELECT min(number) FROM page), $4 + 1)", "DESC")
);
/// The same downwards, without those of one sender.
pub(super) const THREAD_DESCENDING_OF_OTHERS: &str = thread_page!(
    page_of_others!("< $4", "DESC"),
    look_up!(),
    behind_others!("> coalesce((SELECT max(number) FROM page), $4 - 1)", "ASC")
);
