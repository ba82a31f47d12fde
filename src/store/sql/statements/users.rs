//! The deployment, a user, and what a user takes part in.

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
