//! The tables of `django_messages_drf` and of Django's users, as statements.

use super::{
    Error,
    account::{Findings, Found, Skip},
    options::Django,
    repair::UserIds,
    source::{Source, quoted},
};

const THREADS: &str = "django_messages_drf_thread";
const AUDITS: &str = "django_messages_drf_auditmodel";
const USER_THREADS: &str = "django_messages_drf_userthread";
const MESSAGES: &str = "django_messages_drf_message";

/// Bytes of a text; none: NULL.
pub(super) type Bytes = Option<Vec<u8>>;

/// A user: key, what becomes the id, first name, last name, address.
pub(super) type UserRow = (Bytes, Bytes, Bytes, Bytes, Bytes);

/// Whom a row is of: key, whether that user is there, what becomes the id.
pub(super) type PersonRow = (Bytes, i64, Bytes);

/// A thread: key, UUID, subject, creation, last change.
pub(super) type ThreadRow = (i64, Bytes, Bytes, Bytes, Bytes);

/// A row of a user in a thread: thread, person, unread, deleted.
pub(super) type UserThreadRow = (i64, Bytes, i64, Bytes, i64, i64);

/// Somebody who has written in a thread: thread, person, when last.
pub(super) type SenderRow = (i64, Bytes, i64, Bytes, Bytes);

/// A message: thread, key, UUID, person, time, content.
pub(super) type MessageRow = (i64, i64, Bytes, Bytes, i64, Bytes, Bytes, Bytes);

/// The tables, and how their users are told apart.
pub(super) struct Tables {
    users: String,
    key: String,
    value: String,
    /// Columns of the profile; NULL for those that are not there.
    profile: [String; 3],
    pub(super) ids: UserIds,
}

impl Tables {
    /// Looks whether all is there that is to be read.
    pub(super) async fn find(source: &mut Source, options: &Django) -> Result<Self, Error> {
        for table in [THREADS, AUDITS, USER_THREADS, MESSAGES] {
            if source.columns(table).await?.is_empty() {
                return Err(Error::NoTable(table.to_owned()));
            }
        }
        let columns = source.columns(&options.user_table).await?;
        if columns.is_empty() {
            return Err(Error::NoTable(options.user_table.clone()));
        }
        let kind_of = |name: &str| {
            let column = columns.iter().find(|(column, _)| column == name);
            column.map(|(_, kind)| kind.as_str())
        };
        let value = options.user_id.as_ref().unwrap_or(&options.user_key);
        let is_bare = |name: &str| match kind_of(name) {
            Some(kind) => Ok(kind.eq_ignore_ascii_case("char(32)")),
            None => Err(Error::NoColumn(options.user_table.clone(), name.to_owned())),
        };
        let ids = UserIds {
            of_key: *value == options.user_key,
            bare_key: is_bare(&options.user_key)?,
            bare_value: is_bare(value)?,
        };
        let of_profile = |name: &str| match kind_of(name) {
            Some(_) => format!("u.{}", quoted(name)),
            None => "NULL".to_owned(),
        };
        let tables = Self {
            users: quoted(&options.user_table),
            key: format!("u.{}", quoted(&options.user_key)),
            value: format!("u.{}", quoted(value)),
            profile: ["first_name", "last_name", "email"].map(of_profile),
            ids,
        };
        tables.check_values(source, value).await?;
        Ok(tables)
    }

    /// Two users of one id would read each other's messages.
    async fn check_values(&self, source: &mut Source, column: &str) -> Result<(), Error> {
        if self.ids.of_key {
            return Ok(());
        }
        let text = source.text(&self.value);
        let shared = source.count(format!(
            "SELECT count(*) FROM (SELECT {text} AS value FROM {users} u
            WHERE {value} IS NOT NULL GROUP BY {text} HAVING count(*) > 1) AS shared
            WHERE length(shared.value) > 0",
            users = self.users,
            value = self.value
        ));
        match shared.await? {
            0 => Ok(()),
            count => Err(Error::SharedIds(column.to_owned(), count)),
        }
    }

    /// How much there is, and what of it is not imported.
    pub(super) async fn count(&self, source: &mut Source) -> Result<Findings, Error> {
        let mut of = async |from: &str| source.count(format!("SELECT count(*) FROM {from}")).await;
        let mut findings = Findings {
            found: Found {
                users: of(&self.users).await?,
                threads: of(THREADS).await?,
                user_threads: of(USER_THREADS).await?,
                messages: of(MESSAGES).await?,
            },
            ..Findings::default()
        };
        let empty = format!(
            "{THREADS} t WHERE NOT EXISTS (SELECT 1 FROM {MESSAGES} m
            WHERE m.thread_id = t.auditmodel_ptr_id)"
        );
        findings.skip(Skip::EmptyThread, of(&empty).await?);
        let without = format!(
            "{USER_THREADS} ut WHERE NOT EXISTS (SELECT 1 FROM {MESSAGES} m
            WHERE m.thread_id = ut.thread_id)"
        );
        findings.skip(Skip::RowOfEmptyThread, of(&without).await?);
        Ok(findings)
    }

    pub(super) fn users(&self, source: &Source) -> String {
        let [first, last, email] = self.profile.each_ref().map(|column| source.text(column));
        let (key, value) = (source.text(&self.key), source.text(&self.value));
        let users = &self.users;
        format!(
            "SELECT {key}, {value}, {first}, {last}, {email} FROM {users} u ORDER BY {}",
            self.key
        )
    }

    /// The keys of the threads that have messages, in the order of their newest.
    pub(super) fn order() -> String {
        format!(
            "SELECT CAST(m.thread_id AS bigint) FROM {MESSAGES} m GROUP BY m.thread_id
            ORDER BY max(m.sent_at), max(m.id)"
        )
    }

    pub(super) fn threads(source: &Source, keys: &[i64]) -> String {
        let (uuid, subject) = (source.text("t.uuid"), source.text("t.subject"));
        let (created, modified) = (source.time("a.created_at"), source.time("a.modified_at"));
        format!(
            "SELECT CAST(t.auditmodel_ptr_id AS bigint), {uuid}, {subject}, {created}, {modified}
            FROM {THREADS} t LEFT JOIN {AUDITS} a ON a.id = t.auditmodel_ptr_id
            WHERE t.auditmodel_ptr_id IN ({})",
            list(keys)
        )
    }

    pub(super) fn user_threads(&self, source: &Source, keys: &[i64]) -> String {
        let (person, join) = self.person(source, "ut.user_id");
        format!(
            "SELECT CAST(ut.thread_id AS bigint), {person},
                CAST(CASE WHEN ut.unread THEN 1 ELSE 0 END AS bigint),
                CAST(CASE WHEN ut.deleted THEN 1 ELSE 0 END AS bigint)
            FROM {USER_THREADS} ut {join} WHERE ut.thread_id IN ({}) ORDER BY ut.id",
            list(keys)
        )
    }

    pub(super) fn senders(&self, source: &Source, keys: &[i64]) -> String {
        let (person, join) = self.person(source, "s.sender_id");
        let newest = source.time("s.newest");
        format!(
            "SELECT CAST(s.thread_id AS bigint), {person}, {newest} FROM (
                SELECT m.thread_id, m.sender_id, min(m.id) AS first, max(m.sent_at) AS newest
                FROM {MESSAGES} m WHERE m.thread_id IN ({}) GROUP BY m.thread_id, m.sender_id
            ) AS s {join} ORDER BY s.first",
            list(keys)
        )
    }

    /// The messages of these threads: thread after thread, each in the order in which it was sent.
    pub(super) fn messages(&self, source: &Source, keys: &[i64]) -> String {
        let (person, join) = self.person(source, "m.sender_id");
        let (uuid, time) = (source.text("m.uuid"), source.time("m.sent_at"));
        let content = source.text("m.content");
        let places: Vec<String> = keys
            .iter()
            .zip(0..)
            .map(|(key, place)| format!("({key}, {place})"))
            .collect();
        format!(
            "SELECT CAST(m.thread_id AS bigint), CAST(m.id AS bigint), {uuid}, {person}, {time},
                {content}
            FROM (VALUES {}) AS o JOIN {MESSAGES} m ON m.thread_id = o.column1 {join}
            ORDER BY o.column2, m.sent_at, m.id",
            places.join(", ")
        )
    }

    /// The columns of a [`PersonRow`], and the join that finds them.
    fn person(&self, source: &Source, column: &str) -> (String, String) {
        let (text, value) = (source.text(column), source.text(&self.value));
        let (users, key) = (&self.users, &self.key);
        (
            format!("{text}, CAST(CASE WHEN {key} IS NULL THEN 0 ELSE 1 END AS bigint), {value}"),
            format!("LEFT JOIN {users} u ON {key} = {column}"),
        )
    }
}

fn list(keys: &[i64]) -> String {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.join(", ")
}
