//! What a batch touches.

/// What a batch asks for besides users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a list of its own")]
pub(in crate::store::sql) struct Asked {
    pub(in crate::store::sql) threads: bool,
    pub(in crate::store::sql) messages: bool,
    pub(in crate::store::sql) requests: bool,
    pub(in crate::store::sql) marks: bool,
    /// The users who take part in the threads, too.
    pub(in crate::store::sql) people: bool,
}

impl Asked {
    /// Every combination, each at its [`index`](Self::index).
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..COMBINATIONS).map(|index| Self {
            threads: index & 1 != 0,
            messages: index & 2 != 0,
            requests: index & 4 != 0,
            marks: index & 8 != 0,
            people: index & 16 != 0,
        })
    }

    pub(in crate::store::sql) fn index(self) -> usize {
        [
            self.threads,
            self.messages,
            self.requests,
            self.marks,
            self.people,
        ]
        .into_iter()
        .enumerate()
        .map(|(bit, asked)| usize::from(asked) << bit)
        .sum()
    }
}

const COMBINATIONS: usize = 32;

/// What a batch touches: `$2` users, `$3` threads, `$4` messages, `$5` requests (user, id),
/// `$6` marks (user, thread, number).
///
/// From one list to the next, and each thing looked up by a subquery of one value: a planner that
/// takes a tenant for small would walk it instead, and compare each row with the list. What is not
/// asked for is not in the text, since a part that finds nothing costs almost as much as one that
/// does.
pub(super) fn load(asked: Asked) -> String {
    let by_message = asked.messages || asked.requests;
    let by_thread = asked.threads || by_message;
    let mut lists = Vec::new();
    if asked.requests {
        lists.push(REQUESTED.to_owned());
    }
    if by_message {
        let named = [
            asked.messages.then_some(NAMED_MESSAGES),
            asked.requests.then_some(MESSAGES_OF_REQUESTS),
        ];
        lists.push(list("wanted_messages", named));
    }
    if by_thread {
        let named = [
            asked.threads.then_some(NAMED_THREADS),
            by_message.then_some(THREADS_OF_MESSAGES),
        ];
        lists.push(list("wanted_threads", named));
        lists.push(PARTICIPANTS_OF_THREADS.to_owned());
    }
    let named = [
        Some(NAMED_USERS),
        (by_thread && asked.people).then_some(USERS_OF_PARTICIPANTS),
    ];
    lists.push(list("wanted_users", named));

    let found = [
        Some(FOUND_USERS),
        by_thread.then_some(FOUND_THREADS),
        by_thread.then_some(FOUND_PARTICIPANTS),
        by_message.then_some(FOUND_MESSAGES),
        asked.requests.then_some(FOUND_REQUESTS),
        asked.marks.then_some(FOUND_MARKS),
    ];
    let found = found.map(|part| part.unwrap_or("NULL")).join(",\n");
    let lists = lists.join(",\n");
    format!(
        "WITH {lists} SELECT CAST(json_array({HEAD}, {UNLOGGED}, {HIGHEST_USER}, {found}) AS text)"
    )
}

/// The users of these numbers (`$2`), in the same columns.
pub(super) fn load_users() -> String {
    let lists = list("wanted_users", [Some(NUMBERED_USERS), None]);
    format!(
        "WITH {lists} SELECT CAST(json_array({HEAD}, {UNLOGGED}, {HIGHEST_USER}, {FOUND_USERS},
            NULL, NULL, NULL, NULL, NULL) AS text)"
    )
}

/// A list of what comes from one or two sources; from two each once.
fn list(name: &str, sources: [Option<&str>; 2]) -> String {
    let sources: Vec<&str> = sources.into_iter().flatten().collect();
    format!("{name} AS MATERIALIZED ({})", sources.join(" UNION "))
}

const REQUESTED: &str = concat!(
    "requested AS MATERIALIZED (SELECT ",
    user_number!("i.value->>0"),
    " AS user_number, unhex(i.value->>1) AS request_id FROM rows_of($5) AS i)"
);
const NAMED_MESSAGES: &str = "SELECT unhex(i.value->>0) AS id FROM rows_of($4) AS i";
const MESSAGES_OF_REQUESTS: &str = "SELECT (SELECT r.message FROM requests r
    WHERE r.tenant = $1 AND r.user_number = w.user_number AND r.request_id = w.request_id) AS id
    FROM requested w";
const NAMED_THREADS: &str = "SELECT unhex(i.value->>0) AS id FROM rows_of($3) AS i";
const THREADS_OF_MESSAGES: &str = "SELECT (SELECT m.thread FROM messages m
    WHERE m.tenant = $1 AND m.id = w.id) AS id FROM wanted_messages w";
const PARTICIPANTS_OF_THREADS: &str = "participants_of_threads AS MATERIALIZED (
    SELECT (SELECT json_group_array(json_array(hex(p.thread), p.user_number, p.place, p.placement,
        p.placement_time, p.read_number, p.unread_count, p.sent_count, p.last_sent_number,
        p.position) ORDER BY p.place)
        FROM participants p WHERE p.tenant = $1 AND p.thread = w.id) AS of_one
    FROM wanted_threads w)";
const NAMED_USERS: &str = concat!(
    "SELECT ",
    user_number!("i.value->>0"),
    " AS number FROM rows_of($2) AS i"
);
const NUMBERED_USERS: &str = "SELECT CAST(i.value->>0 AS bigint) AS number FROM rows_of($2) AS i";
const USERS_OF_PARTICIPANTS: &str = "SELECT CAST(p.value->>1 AS bigint) AS number
    FROM participants_of_threads w CROSS JOIN elements_of(w.of_one) AS p";

const HEAD: &str = "(SELECT json_array(e.position, hex(e.id), e.threads, e.messages) FROM events e
        WHERE e.tenant = $1 ORDER BY e.position DESC LIMIT 1)";
const UNLOGGED: &str = "(SELECT h.unlogged FROM log_heads h WHERE h.tenant = $1)";
const HIGHEST_USER: &str =
    "(SELECT u.number FROM users u WHERE u.tenant = $1 ORDER BY u.number DESC LIMIT 1)";
const FOUND_USERS: &str = concat!(
    "(SELECT json_group_array((SELECT json_array(u.number, ",
    user_record!(),
    ", ",
    mailbox!("u.number"),
    ") FROM users u WHERE u.tenant = $1 AND u.number = w.number)) FROM wanted_users w)"
);
const FOUND_THREADS: &str = "(SELECT json_group_array((SELECT json_array(hex(t.id), t.subject,
        t.create_time, t.update_time, t.starter, t.message_count, t.last_sender, t.last_time,
        t.snippet)
        FROM threads t WHERE t.tenant = $1 AND t.id = w.id)) FROM wanted_threads w)";
const FOUND_PARTICIPANTS: &str =
    "(SELECT json_group_array(nested(w.of_one)) FROM participants_of_threads w)";
const FOUND_MESSAGES: &str = "(SELECT json_group_array((SELECT json_array(hex(m.id), hex(m.thread),
        m.number, m.sender, m.sender_count, m.position, m.content, m.send_time, m.edit_time,
        m.revision)
        FROM messages m WHERE m.tenant = $1 AND m.id = w.id)) FROM wanted_messages w)";
const FOUND_REQUESTS: &str = "(SELECT json_group_array((SELECT json_array(r.user_number,
        hex(r.request_id), r.fingerprint, hex(r.message), r.time)
        FROM requests r WHERE r.tenant = $1 AND r.user_number = w.user_number
        AND r.request_id = w.request_id)) FROM requested w)";
const FOUND_MARKS: &str = concat!(
    "(SELECT json_group_array(json_array(i.value->>0, i.value->>1, CAST(i.value->>2 AS bigint),
        coalesce((SELECT m.sender_count FROM messages m WHERE m.tenant = $1
            AND m.thread = unhex(i.value->>1) AND m.sender = ",
    user_number!("i.value->>0"),
    " AND m.number <= CAST(i.value->>2 AS bigint)
            ORDER BY m.number DESC LIMIT 1), 0))) FROM rows_of($6) AS i)"
);
