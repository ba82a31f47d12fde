//! The deployment, its tenants, their users, and what a user takes part in.

/// The deployment's secret.
pub(super) const SECRET: &str = "SELECT hex(token_key) FROM deployment WHERE one = 1";

/// A user's counts.
pub(super) const SUMMARY: &str = concat!(
    "WITH ",
    me!(),
    " SELECT CAST(json_array(",
    head!(),
    ", ",
    mailbox!("(SELECT number FROM me)"),
    ",
        ",
    user!("(SELECT number FROM me)"),
    ") AS text)"
);

/// Whether a thread exists.
pub(super) const HAS_THREAD: &str = "SELECT tenant FROM threads WHERE tenant = $1 AND id = $2";

/// Whether a user (`$2`) takes part in a thread (`$3`).
pub(super) const TAKES_PART: &str = concat!(
    "WITH ",
    me!(),
    " SELECT tenant FROM participants
        WHERE tenant = $1 AND thread = $3 AND user_number = (SELECT number FROM me)"
);

/// So many (`$3`) of the tenant's users, from a number on (`$2`, exclusive).
pub(super) const USERS: &str = concat!(
    "SELECT CAST(json_group_array(json_array(u.number, ",
    user_record!(),
    ") ORDER BY u.number) AS text)
        FROM (SELECT * FROM users p WHERE p.tenant = $1 AND p.number > $2
            ORDER BY p.number LIMIT $3) AS u"
);

/// How much the tenant of the head `h`, which is this one, holds.
macro_rules! tenant {
    ($tenant:literal) => {
        concat!(
            "json_array(h.tenant,
                (SELECT json_array(e.position, e.threads, e.messages) FROM events e
                    WHERE e.tenant = ",
            $tenant,
            " ORDER BY e.position DESC LIMIT 1),
                (SELECT e.position FROM events e WHERE e.tenant = ",
            $tenant,
            " ORDER BY e.position LIMIT 1),
                (SELECT u.number FROM users u WHERE u.tenant = ",
            $tenant,
            " ORDER BY u.number DESC LIMIT 1))"
        )
    };
}

/// How much a tenant holds.
pub(super) const TENANT: &str = concat!(
    "SELECT CAST(json_array(",
    tenant!("$1"),
    ") AS text) FROM log_heads h WHERE h.tenant = $1"
);

/// How much each of so many (`$2`) tenants holds, by name, after this one (`$1`). It is looked up beside the
/// head, and not for what a subquery has found, since a distributed Postgres asks its nodes only where all that
/// is read are tables, joined by their tenants.
pub(super) const TENANTS: &str = concat!(
    "SELECT CAST(json_group_array(nested(w.size) ORDER BY w.tenant) AS text)
        FROM (SELECT h.tenant, ",
    tenant!("h.tenant"),
    " AS size
            FROM log_heads h WHERE h.tenant > $1 ORDER BY h.tenant LIMIT $2) AS w"
);
