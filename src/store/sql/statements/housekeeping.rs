//! What is no longer kept.

/// Whether the log holds an event (`$3`) at a position (`$2`), and where the log begins.
pub(super) const HOLDS_EVENT: &str = "SELECT CAST(json_array(
        (SELECT count(*) FROM events WHERE tenant = $1 AND position = $2 AND id = $3),
        (SELECT min(position) FROM events WHERE tenant = $1)) AS text)";

/// The first position to keep, among the `$3` oldest: the last event older than `$2`.
pub(super) const FIRST_KEPT: &str = "WITH oldest AS MATERIALIZED (SELECT position, time FROM events
            WHERE tenant = $1 ORDER BY position LIMIT $3)
        SELECT CAST(json_array(coalesce(
            (SELECT min(position) - 1 FROM oldest WHERE time >= $2),
            (SELECT max(position) FROM oldest)), (SELECT min(position) FROM oldest)) AS text)";

// What follows is given the oldest position that there is, too: without it, Postgres walks the index entries of
// all that was removed since the last vacuum, each time anew beside a snapshot that is held open.

/// Removes events before a position (`$2`), from the oldest on (`$3`).
pub(super) const EXPIRE_EVENTS: &str =
    "DELETE FROM events WHERE tenant = $1 AND position < $2 AND position >= $3";

/// Puts aside the counts of users whom no event from a position (`$2`) on tells of anything; from the oldest
/// on (`$3`).
pub(super) const REST_MAILBOXES: &str = "INSERT INTO mailboxes_at_rest (tenant, user_number, inbox,
            unread, sent, deleted, total, unread_messages)
        SELECT h.tenant, a.user_number, a.inbox, a.unread, a.sent, a.deleted, a.total,
            a.unread_messages
        FROM log_heads h CROSS JOIN audience a WHERE h.tenant = $1 AND a.tenant = $1
            AND a.position < $2 AND a.position >= $3 AND a.inbox IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM audience n WHERE n.tenant = $1
                AND n.user_number = a.user_number AND n.position > a.position)
        ON CONFLICT (tenant, user_number) DO UPDATE SET inbox = excluded.inbox,
            unread = excluded.unread, sent = excluded.sent, deleted = excluded.deleted,
            total = excluded.total, unread_messages = excluded.unread_messages";

/// Removes who was told of events before a position (`$2`), from the oldest on (`$3`).
pub(super) const EXPIRE_AUDIENCE: &str =
    "DELETE FROM audience WHERE tenant = $1 AND position < $2 AND position >= $3";

/// Removes request ids older than `$2`, at most `$3`.
pub(super) const EXPIRE_REQUESTS: &str =
    "DELETE FROM requests WHERE tenant = $1 AND (user_number, request_id) IN (
            SELECT user_number, request_id FROM requests WHERE tenant = $1 AND time < $2
            ORDER BY time LIMIT $3)";

/// The last of so many tenants (`$2`) by name, after this one (`$1`).
pub(super) const LAST_OF_TENANTS: &str = "SELECT CAST(json_array(max(h.tenant)) AS text)
        FROM (SELECT p.tenant FROM log_heads p WHERE p.tenant > $1
            ORDER BY p.tenant LIMIT $2) AS h";

/// Of the tenants by name, after one (`$1`) and up to another (`$2`): those that hold events older than `$3`
/// (more than the one that is kept), or request ids older than `$4`. They are a range and no subquery,
/// since a distributed Postgres asks its nodes only where all that is read are tables, joined by their tenants.
pub(super) const TENANTS_TO_EXPIRE: &str =
    "SELECT CAST(json_group_array(h.tenant) AS text) FROM log_heads h
        WHERE h.tenant > $1 AND h.tenant <= $2
        AND ((SELECT e.time FROM events e WHERE e.tenant = h.tenant
                ORDER BY e.position LIMIT 1 OFFSET 1) < $3
            OR EXISTS (SELECT 1 FROM requests r WHERE r.tenant = h.tenant AND r.time < $4))";
