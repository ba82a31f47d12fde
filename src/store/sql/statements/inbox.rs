//! A user's threads: a page of a folder, read in either direction.
//!
//! A folder is some of a user's shelves (`migrations/*/0009_shelves.sql`), each of which is a range of one
//! index; what lies on several is merged, and no more of each is read than the page shows.

/// The caller's threads on these shelves, from a position on, in their order.
macro_rules! page {
    ($from:expr, $order:literal, $shelf:literal) => {
        range!($from, $order, $shelf)
    };
    ($from:expr, $order:literal, $first:literal $(, $shelf:literal)+) => {
        concat!(
            "SELECT * FROM (SELECT * FROM (",
            range!($from, $order, $first),
            ") AS range",
            $first,
            $(" UNION ALL SELECT * FROM (", range!($from, $order, $shelf), ") AS range", $shelf,)+
            ") AS ranges ORDER BY position ",
            $order
        )
    };
}

/// On which shelf a participant has a thread, word for word as the index has it.
macro_rules! shelf {
    () => {
        "CASE r.placement
            WHEN 1 THEN 1 + CASE WHEN r.unread_count > 0 THEN 2 ELSE 0 END
                + CASE WHEN r.sent_count > 0 THEN 1 ELSE 0 END
            WHEN 2 THEN 5
            ELSE 6
        END"
    };
}

/// Those on one shelf.
macro_rules! range {
    ($from:expr, $order:literal, $shelf:literal) => {
        concat!(
            "SELECT r.thread, r.user_number, r.position, r.placement, r.read_number, r.unread_count
              FROM participants r WHERE r.tenant = $1 AND r.user_number = (SELECT number FROM viewer)
              AND ",
            shelf!(),
            " = ",
            $shelf,
            " AND r.position ",
            $from,
            " ORDER BY r.position ",
            $order
        )
    };
}

/// Whether something lies there, on one of these shelves.
macro_rules! exists {
    ($there:expr, $first:literal $(, $shelf:literal)*) => {
        concat!(
            "CASE WHEN ",
            exists_on!($there, $first),
            $(" OR ", exists_on!($there, $shelf),)*
            " THEN 1 ELSE 0 END"
        )
    };
}

macro_rules! exists_on {
    ($there:expr, $shelf:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM participants r WHERE r.tenant = $1
                AND r.user_number = (SELECT number FROM viewer) AND ",
            shelf!(),
            " = ",
            $shelf,
            " AND r.position ",
            $there,
            ")"
        )
    };
}

/// A page of an inbox: `$3` the position to read from, `$4` how many, `$5` how many to leap, `$6` and
/// `$7` the edition that it is known in.
macro_rules! inbox {
    ($page:expr, $behind:expr) => {
        concat!(
            "WITH ",
            viewer!(),
            ", page AS MATERIALIZED (",
            $page,
            " LIMIT $4 OFFSET $5), ",
            listed!("page"),
            page_answer!(
                concat!(
                    head!(),
                    ", ",
                    edition!(),
                    ", ",
                    mailbox!("told a", "(SELECT number FROM viewer)"),
                    ", ",
                    $behind
                ),
                "",
                ""
            )
        )
    };
}

/// The first page, from the newest on: before it there is nothing to look for. To prepare the looks,
/// and not to take them, would be a tenth of what the page costs Postgres.
macro_rules! first {
    ($($shelf:literal),+) => {
        inbox!(page!("< $3", "DESC", $($shelf),+), "0")
    };
}

/// On from a page, down to the oldest.
macro_rules! forward {
    ($($shelf:literal),+) => {
        inbox!(
            page!("< $3", "DESC", $($shelf),+),
            exists!("> coalesce((SELECT max(position) FROM page), $3 - 1)", $($shelf),+)
        )
    };
}

macro_rules! backward {
    ($($shelf:literal),+) => {
        inbox!(
            page!("> $3", "ASC", $($shelf),+),
            exists!("< coalesce((SELECT min(position) FROM page), $3 + 1)", $($shelf),+)
        )
    };
}

/// The inbox.
pub(super) const INBOX: &str = first!(1, 2, 3, 4);
/// Its further pages.
pub(super) const INBOX_FORWARD: &str = forward!(1, 2, 3, 4);
/// The same, backwards.
pub(super) const INBOX_BACKWARD: &str = backward!(1, 2, 3, 4);
/// The inbox's unread.
pub(super) const UNREAD: &str = first!(3, 4);
/// Its further pages.
pub(super) const UNREAD_FORWARD: &str = forward!(3, 4);
/// The same, backwards.
pub(super) const UNREAD_BACKWARD: &str = backward!(3, 4);
/// Threads in which the caller has sent something.
pub(super) const SENT: &str = first!(2, 4, 5);
/// Its further pages.
pub(super) const SENT_FORWARD: &str = forward!(2, 4, 5);
/// The same, backwards.
pub(super) const SENT_BACKWARD: &str = backward!(2, 4, 5);
/// What the caller has deleted.
pub(super) const DELETED: &str = first!(6);
/// Its further pages.
pub(super) const DELETED_FORWARD: &str = forward!(6);
/// The same, backwards.
pub(super) const DELETED_BACKWARD: &str = backward!(6);
/// Everything.
pub(super) const ALL: &str = first!(1, 2, 3, 4, 5, 6);
/// Its further pages.
pub(super) const ALL_FORWARD: &str = forward!(1, 2, 3, 4, 5, 6);
/// The same, backwards.
pub(super) const ALL_BACKWARD: &str = backward!(1, 2, 3, 4, 5, 6);
