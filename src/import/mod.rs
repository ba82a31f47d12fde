//! `letterbox import`: what another service has kept, written by the same rules as everything.
//!
//! It reads a foreign database by itself, in one snapshot, and writes through the
//! [`messenger`](crate::messenger): an import is pieces of some thousand rows, each of which takes
//! the tenant's turn. While one piece is written the next one is read. Ids follow from what is
//! imported, so that a run that was killed goes on where it was when it is repeated.

mod account;
mod options;
mod reading;
mod repair;
mod source;
mod tables;

use std::{collections::HashSet, sync::Arc};

use tokio::sync::mpsc;

pub use self::{
    account::Account,
    options::{Django, Source as Options},
};
use self::{account::Findings, reading::Reader, source::Source, tables::Tables};
use crate::{
    messenger::{self, Messenger},
    model::{Import, Imported, TenantId, ThreadId},
    progress::Progress,
};

/// How many threads are looked for at once.
const THREADS: usize = 1_000;

/// Why an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be opened.
    #[error("cannot open the database to import from: {0}")]
    Open(String),
    /// The source cannot be read.
    #[error("cannot read the database to import from: {0}")]
    Read(#[source] sqlx::Error),
    /// A table is missing.
    #[error(
        "the database to import from has no table {0}: see --from and, for users, --user-table"
    )]
    NoTable(String),
    /// A column is missing.
    #[error("the table {0} has no column {1}: see --user-key and --user-id")]
    NoColumn(String, String),
    /// Users could not be told apart.
    #[error(
        "{1} values of the column {0} belong to more than one user each, and these would read each \
         other's messages: name another column by --user-id"
    )]
    SharedIds(String, u64),
    /// Others have written to the tenant.
    #[error(
        "the tenant {tenant} has {others} threads that this import has not made: import into a \
         tenant of its own (--tenant), or above them (--merge)"
    )]
    NotEmpty {
        /// The tenant.
        tenant: TenantId,
        /// How many threads are others'.
        others: i64,
    },
    /// A piece could not be written.
    #[error(
        "cannot write: {0}; what has been imported is kept, and the next run goes on from there"
    )]
    Write(#[source] messenger::Error),
}

/// Imports what the options say; the final account.
pub async fn django(options: &Django, messenger: &Arc<Messenger>) -> Result<Account, Error> {
    let mut source = Source::open(&options.from).await?;
    let tables = Tables::find(&mut source, options).await?;
    let mut findings = tables.count(&mut source).await?;
    let progress = Progress::new();
    if !options.merge {
        check_tenant(&options.tenant, &mut source, messenger, &progress).await?;
    }
    progress.begin(
        "importing messages",
        usize::try_from(findings.found.messages).unwrap_or(0),
    );
    let imported = import(
        options,
        messenger,
        &mut source,
        &tables,
        &mut findings,
        &progress,
    )
    .await;
    progress.end();
    let imported = imported?;
    Ok(Account {
        findings,
        imported: (!options.dry_run).then_some(imported),
    })
}

/// Reads and writes side by side.
async fn import(
    options: &Django,
    messenger: &Messenger,
    source: &mut Source,
    tables: &Tables,
    findings: &mut Findings,
    progress: &Progress,
) -> Result<Imported, Error> {
    let (pieces, mut read) = mpsc::channel::<Import>(1);
    let reader = Reader {
        source,
        tables,
        tenant: &options.tenant,
        findings,
        pieces,
        gone: HashSet::new(),
    };
    let writing = async move {
        let mut all = Imported::default();
        while let Some(piece) = read.recv().await {
            let messages = piece.threads.iter().map(|thread| thread.messages.len());
            let messages: usize = messages.sum();
            if !options.dry_run {
                let imported = messenger.import(&options.tenant, piece).await;
                all += imported.map_err(Error::Write)?;
            }
            progress.advance(messages as u64);
        }
        Ok(all)
    };
    // Each in the other's pauses; where writing fails, reading finds nobody who takes its pieces.
    let (read, written) = tokio::join!(reader.run(), writing);
    let written = written?;
    read?;
    Ok(written)
}

/// Others' threads would lie below the imported ones, however new they are.
async fn check_tenant(
    tenant: &TenantId,
    source: &mut Source,
    messenger: &Messenger,
    progress: &Progress,
) -> Result<(), Error> {
    let there = messenger.sizes(tenant).await.map_err(Error::Write)?.threads;
    if there == 0 {
        return Ok(());
    }
    let order = reading::order(source).await?;
    progress.begin("looking at what is there", order.len());
    let mut own = 0;
    for keys in order.chunks(THREADS) {
        let ids = reading::threads(source, tenant, keys).await?;
        let ids: Vec<ThreadId> = ids.into_iter().map(|(_, id, _)| id).collect();
        let count = messenger.count_threads(tenant, &ids).await;
        own += count.map_err(Error::Write)?;
        progress.advance(keys.len() as u64);
    }
    if own < there {
        let (tenant, others) = (tenant.clone(), there - own);
        return Err(Error::NotEmpty { tenant, others });
    }
    Ok(())
}
