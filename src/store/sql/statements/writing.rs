//! A batch: the turn, what it touches, and what it changed.

use super::super::insert::{
    Insert, Kind,
    Kind::{Id, Int, Text},
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
/// to look.
pub(in crate::store::sql) static SAVES: [Insert; TABLES] = [
    Insert {
        name: "save_head",
        table: "log_heads",
        columns: &[("unlogged", Int), ("profiles", Int)],
        on_conflict: "ON CONFLICT (tenant) DO UPDATE SET unlogged = excluded.unlogged,
            profiles = CASE WHEN excluded.profiles > log_heads.profiles THEN excluded.profiles
                ELSE log_heads.profiles END",
    },
    Insert {
        name: "save_users",
        table: "users",
        columns: &[
            ("number", Int),
            ("id", Text),
            ("known_time", Int),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("profile_time", Int),
            ("deactivated_time", Int),
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
            ("replace_time", Int),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_requests",
        table: "requests",
        columns: &[
            ("user_number", Int),
            ("request_id", Id),
            ("fingerprint", Text),
            ("message", Id),
            ("time", Int),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_events",
        table: "events",
        columns: &[
            ("position", Int),
            ("id", Id),
            ("kind", Int),
            ("time", Int),
            ("thread", Id),
            ("message", Id),
            ("actor", Int),
            ("request_id", Id),
            ("threads", Int),
            ("messages", Int),
        ],
        on_conflict: "",
    },
    Insert {
        name: "add_audience",
        table: "audience",
        columns: &[
            ("user_number", Int),
            ("position", Int),
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
    ("create_time", Int),
    ("update_time", Int),
    ("starter", Int),
    ("message_count", Int),
    ("last_sender", Int),
    ("last_time", Int),
    ("snippet", Text),
    ("people", Text),
];

const PARTICIPANTS: &[(&str, Kind)] = &[
    ("thread", Id),
    ("user_number", Int),
    ("place", Int),
    ("placement", Int),
    ("placement_time", Int),
    ("read_number", Int),
    ("unread_count", Int),
    ("sent_count", Int),
    ("last_sent_number", Int),
    ("position", Int),
];

const MESSAGES: &[(&str, Kind)] = &[
    ("id", Id),
    ("thread", Id),
    ("number", Int),
    ("sender", Int),
    ("sender_count", Int),
    ("position", Int),
    ("content", Text),
    ("send_time", Int),
    ("edit_time", Int),
    ("revision", Int),
];
