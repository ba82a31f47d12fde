//! The log: what follows a position, for one user or for everybody.

/// How many bytes of content a page of the log holds at most, before the last event.
macro_rules! log_page_bytes {
    () => {
        "1048576"
    };
}

/// The oldest position, where a reader stands before all of them: to find it, Postgres walks the index
/// entries of what was removed since the last vacuum.
macro_rules! oldest {
    ($after:expr) => {
        concat!(
            "CASE WHEN ",
            $after,
            " = 0 THEN (SELECT e.position FROM events e WHERE e.tenant = $1
                    ORDER BY e.position LIMIT 1) END"
        )
    };
}

/// A page of the log: `$2` the reader, `$3` the position to read after, `$4` how many rows.
macro_rules! log_page {
    ($scanned:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", scanned AS MATERIALIZED (SELECT s.position, sum(s.bytes) OVER (ORDER BY s.position)
                    - s.bytes AS bytes_before
                FROM (",
            $scanned,
            " LIMIT $4) AS s),
            page AS MATERIALIZED (SELECT position FROM scanned WHERE bytes_before < ",
            log_page_bytes!(),
            ")
            SELECT CAST(json_array(
                (SELECT hex(e.id) FROM events e WHERE e.tenant = $1 AND e.position = $3),
                ",
            oldest!("$3"),
            ",
                ",
            head!(),
            ",
                (SELECT count(*) FROM scanned),
                (SELECT json_group_array((SELECT json_array(e.position, hex(e.id), e.kind, e.time,
                    hex(e.thread), hex(e.request_id),
                    (SELECT u.id FROM users u WHERE u.tenant = $1 AND u.number = e.actor),
                    (SELECT json_group_array(
                        (SELECT u.id FROM users u WHERE u.tenant = $1 AND u.number = a.user_number))
                        FROM audience a WHERE a.tenant = $1 AND a.position = e.position),
                    (SELECT ",
            message!("m.content"),
            " FROM messages m WHERE m.tenant = $1 AND m.id = e.message),
                    CASE WHEN e.kind = 3 THEN (SELECT ",
            view!(),
            " FROM participants p WHERE p.tenant = $1 AND p.thread = e.thread
                        AND p.user_number = e.actor) END
                    ) FROM events e WHERE e.tenant = $1 AND e.position = p.position)
                    ORDER BY p.position) FROM page p),
                (SELECT json_group_array((SELECT ",
            thread!(),
            " FROM threads t WHERE t.tenant = $1 AND t.id = w.id))
                    FROM (SELECT DISTINCT (SELECT e.thread FROM events e WHERE e.tenant = $1
                        AND e.position = p.position AND e.kind <> 3) AS id FROM page p) AS w
                    WHERE w.id IS NOT NULL)
            ) AS text)"
        )
    };
}

/// How many bytes of content this message has.
macro_rules! bytes_of {
    ($message:expr) => {
        concat!(
            "coalesce((SELECT octet_length(m.content) FROM messages m
                    WHERE m.tenant = $1 AND m.id = ",
            $message,
            "), 0) AS bytes"
        )
    };
}

/// A point of the log: the event there, the oldest position, when the next event was written.
pub(super) const LOG_POINT: &str = concat!(
    "SELECT CAST(json_array(
            (SELECT hex(e.id) FROM events e WHERE e.tenant = $1 AND e.position = $2),
            ",
    oldest!("$2"),
    ",
            (SELECT e.time FROM events e WHERE e.tenant = $1 AND e.position = $2 + 1)) AS text)"
);

/// The log, for one user.
pub(super) const LOG_OF_USER: &str = log_page!(concat!(
    "SELECT a.position, ",
    bytes_of!("(SELECT e.message FROM events e WHERE e.tenant = $1 AND e.position = a.position)"),
    " FROM audience a
        WHERE a.tenant = $1 AND a.user_number = (SELECT number FROM me) AND a.position > $3
        ORDER BY a.position"
));
/// The log, for whoever may see everything.
pub(super) const LOG_OF_EVERYONE: &str = log_page!(concat!(
    "SELECT e.position, ",
    bytes_of!("e.message"),
    " FROM events e WHERE e.tenant = $1 AND e.position > $3 ORDER BY e.position"
));

/// Where the logs of several tenants (`$1`) end.
pub(super) const LOG_HEADS: &str = "SELECT CAST(json_group_array(json_array(h.tenant,
            (SELECT json_array(e.position, hex(e.id)) FROM events e WHERE e.tenant = h.tenant
                ORDER BY e.position DESC LIMIT 1))) AS text)
        FROM rows_of($1) AS r CROSS JOIN log_heads h WHERE h.tenant = r.value->>0";
