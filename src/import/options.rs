//! The command line of `letterbox import`.

use clap::{Args, Subcommand};

use crate::model::TenantId;

/// Where the data come from.
#[derive(Clone, Debug, Subcommand)]
pub enum Source {
    /// Import from the Django package `django_messages_drf`
    ///
    /// It reads the package's tables in one snapshot, and writes nothing to them. Order, times, folders
    /// and read state are kept; what the package's bugs have left behind is repaired, and the final
    /// account says how. Killed at any moment, it goes on where it was when it is run again. The
    /// messages come to the database of --database-url: an SQLite file must not be in use.
    Django(Django),
}

/// An installation of `django_messages_drf`, and where its messages go.
#[derive(Clone, Debug, Args)]
pub struct Django {
    /// The database of the Django project: an SQLite file, or `postgres://user@host/name`
    #[arg(
        long,
        value_name = "DATABASE",
        env = "LETTERBOX_IMPORT_FROM",
        hide_env_values = true
    )]
    pub(super) from: String,
    /// The tenant that the messages go to; it must be empty, or hold an earlier run of this import
    #[arg(long, value_name = "NAME", default_value = TenantId::DEFAULT, value_parser = tenant)]
    pub(super) tenant: TenantId,
    /// Import into a tenant that others have written to: imported threads then lie above those that
    /// are there, whatever their age
    #[arg(long)]
    pub(super) merge: bool,
    /// The table of users (`AUTH_USER_MODEL`)
    #[arg(long, value_name = "TABLE", default_value = "auth_user")]
    pub(super) user_table: String,
    /// Its primary key
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    pub(super) user_key: String,
    /// The column whose values become the ids of users in Letterbox; no two may be the same
    /// [default: the primary key]
    #[arg(long, value_name = "COLUMN")]
    pub(super) user_id: Option<String>,
    /// Read and report, and import nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

fn tenant(name: &str) -> Result<TenantId, String> {
    TenantId::parse(name)
        .ok_or_else(|| "is not 1 to 63 of a-z, 0-9 and -, beginning with a letter".to_owned())
}
