//! A user's threads: a page of a folder, read in either direction.

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
    ($page:expr, $behind:expr) => {
        concat!(
            "WITH ",
            me!(),
            ", page AS MATERIALIZED (",
            $page,
            " LIMIT $4 OFFSET $5), ",
            parts!("page"),
            ", ",
            listed!("page"),
            page_answer!(
                concat!(
                    head!(),
                    ", ",
                    mailbox!("(SELECT number FROM me)"),
                    ", CASE WHEN ",
                    $behind,
                    " THEN 1 ELSE 0 END"
                ),
                "",
                ""
            )
        )
    };
}

/// Forward is from the newest on, down to the oldest.
macro_rules! inbox_forward {
    ($matches:expr) => {
        inbox!(
            range!($matches, "< $3", "DESC"),
            exists!($matches, before_forward!())
        )
    };
}

macro_rules! inbox_backward {
    ($matches:expr) => {
        inbox!(
            range!($matches, "> $3", "ASC"),
            exists!($matches, before_backward!())
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
            )
        )
    };
}

/// The threads of one placement (`$6`).
pub(super) const INBOX_PLACED: &str = inbox_forward!("r.placement = $6");
/// The same, backwards.
pub(super) const INBOX_PLACED_BACKWARD: &str = inbox_backward!("r.placement = $6");
/// The inbox's unread.
pub(super) const INBOX_UNREAD: &str = inbox_forward!("r.placement = 1 AND r.unread_count > 0");
/// The same, backwards.
pub(super) const INBOX_UNREAD_BACKWARD: &str =
    inbox_backward!("r.placement = 1 AND r.unread_count > 0");
/// Threads in which the caller has sent something.
pub(super) const INBOX_SENT: &str = inbox_forward!("r.placement <> 3 AND r.sent_count > 0");
/// The same, backwards.
pub(super) const INBOX_SENT_BACKWARD: &str =
    inbox_backward!("r.placement <> 3 AND r.sent_count > 0");
/// Everything.
pub(super) const INBOX_ALL: &str = inbox_all!("< $3", before_forward!(), "DESC");
/// The same, backwards.
pub(super) const INBOX_ALL_BACKWARD: &str = inbox_all!("> $3", before_backward!(), "ASC");
