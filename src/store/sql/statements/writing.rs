//! A batch: the turn, what it touches, and what it changed.

use super::super::insert::{
    Insert, Kind,
    Kind::{Big, Id, Int, Small, Text},
    TABLES,
};

/// Waits for a tenant's turn; no row: the tenant has no head yet.
pub(super) const TAKE_TURN: &str = "SELECT tenant FROM log_heads WHERE tenant = $1 FOR UPDATE";

/// Marks a change that no event tells of, and that pages may show.
pub(super) const MARK_UNLOGGED: &str =
    "UPDATE log_heads SET unlogged = unlogged + 1, profiles = unlogged + 1 WHERE tenant = $1";

/// Makes a tenant's head.
pub(super) const CREATE_HEAD: &str =
    "INSERT INTO log_heads (tenant) VALUES ($1) ON CONFLICT DO NOTHING";

/// What a batch saves, table by table.
///
/// Where it is known that no row is there, Postgres saves a fifth of an INSERT by not being asked
/// to look. Columns are in their table's order, and of its types: then no row is put together anew.
pub(in crate::store::sql) static SAVES: [Insert; TABLES] = [
    Insert {
        name: "save_head",
        table: "log_heads",
        columns: &[("unlogged", Big), ("profiles", Big)],
        on_conflict: "ON CONFLICT (tenant) DO UPDATE SET unlogged = excluded.unlogged,
            profiles = CASE WHEN excluded.profiles > log_heads.profiles THEN excluded.profiles
                ELSE log_heads.profiles END",
    },
    Insert {
        name: "save_users",
        table: "users",
        columns: &[
            ("number", Big),
            ("id", Text),
            ("known_time", Big),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("profile_time", Big),
            ("deactivated_time", Big),
        ],
        on_conflict: "ON CONFLICT (tenant, number) DO UPDATE SET known_time = excluded.known_time,
            first_name = excluded.first_name, last_name = excluded.last_name,
            email = excluded.email, profile_time = excluded.profile_time,
            deactivated_time = excluded.deactivated_time",
    },
    Insert {
        name: "add_threads",
        table: "threads",
        columns: THREADS,
        on_conflict: "",
    },
    Insert {
        name: "save_threads",
        table: "threads",
        columns: THREADS,
        on_conflict: "ON CONFLICT (tenant, id) DO UPDATE SET subject = excluded.subject,
            update_time = excluded.update_time, message_count = excluded.message_count,
            last_sender = excluded.last_sender, last_time = excluded.last_time,
            snippet = excluded.snippet",
    },
    Insert {
        name: "add_participants",
        table: "participants",
        columns: PARTICIPANTS,
        on_conflict: "",
    },
    Insert {
        name: "save_participants",
        table: "participants",
        columns: PARTICIPANTS,
        on_conflict: "ON CONFLICT (tenant, thread, user_number) DO UPDATE SET
            placement = excluded.placement, placement_time = excluded.placement_time,
            read_number = excluded.read_number, unread_count = excluded.unread_count,
            sent_count = excluded.sent_count, last_sent_number = excluded.last_sent_number,
            position = excluded.position",
    },
    Insert {
        name: "add_messages",
        table: "messages",
        columns: MESSAGES,
        on_conflict: "",
    },
    Insert {
        name: "save_messages",
        table: "messages",
        columns: MESSAGES,
        on_conflict: "ON CONFLICT (tenant, thread, number) DO UPDATE SET
            content = excluded.content, edit_time = excluded.edit_time,
            revision = excluded.revision",
    },
    Insert {
        name: "add_revisions",
        table: "revisions",
        columns: &[
            ("message", Id),
            ("revision", Int),
            ("content", Text),
            ("replace_time", Big),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_requests",
        table: "requests",
        columns: &[
            ("user_number", Big),
            ("request_id", Id),
            ("fingerprint", Text),
            ("message", Id),
            ("time", Big),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_events",
        table: "events",
        columns: &[
            ("position", Big),
            ("id", Id),
            ("kind", Small),
            ("time", Big),
            ("thread", Id),
            ("message", Id),
            ("actor", Big),
            ("request_id", Id),
            ("threads", Big),
            ("messages", Big),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_audience",
        table: "audience",
        columns: &[
            ("user_number", Big),
            ("position", Big),
            ("inbox", Int),
            ("unread", Int),
            ("sent", Int),
            ("deleted", Int),
            ("total", Int),
            ("unread_messages", Int),
        ],
        on_conflict: "",
    },
];

const THREADS: &[(&str, Kind)] = &[
    ("id", Id),
    ("subject", Text),
    ("create_time", Big),
    ("update_time", Big),
    ("starter", Big),
    ("message_count", Int),
    ("last_sender", Big),
    ("last_time", Big),
    ("snippet", Text),
    ("people", Text),
];

const PARTICIPANTS: &[(&str, Kind)] = &[
    ("thread", Id),
    ("user_number", Big),
    ("place", Int),
    ("placement", Small),
    ("placement_time", Big),
    ("read_number", Int),
    ("unread_count", Int),
    ("sent_count", Int),
    ("last_sent_number", Int),
    ("position", Big),
];

const MESSAGES: &[(&str, Kind)] = &[
    ("thread", Id),
    ("number", Int),
    ("id", Id),
    ("sender", Big),
    ("sender_count", Int),
    ("position", Big),
    ("content", Text),
    ("send_time", Big),
    ("edit_time", Big),
    ("revision", Int),
];
