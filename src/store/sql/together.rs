//! Reads that are made together.
//!
//! To begin a statement and to hear its answer costs Postgres a third of what a page does, and most of what it
//! costs to see that one has not changed. So where some statements are under way already, reads wait, and those
//! that run the same statement in the same tenant are made as one. Where few are under way nobody waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::{sync::oneshot, time::timeout};

use super::{
    Backend, Param,
    gathered::{Kind, Read},
    kept::{InUse, answer},
    shared::{Shared, go_on_after},
};
use crate::{metrics::Pool, model::TenantId, store::Result};

/// A statement that is under way, until it is dropped.
struct UnderWay<DB: Backend> {
    shared: Arc<Shared<DB>>,
    kind: Kind,
}

impl<DB: Backend> Shared<DB> {
    /// Reads one snapshot for a page, maybe together with others; the tenant is the first parameter, and the
    /// others follow.
    pub(super) async fn read_page(
        self: &Arc<Self>,
        tenant: &TenantId,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<Option<String>> {
        let alone = || self.read(&self.pools.readers, sql, params);
        if !DB::READS_TOGETHER {
            return alone().await;
        }
        let kind = Kind::new(tenant, sql);
        if self.gathered.may_begin(&kind, self.pools.readers.size()) {
            let _under_way = self.under_way(kind);
            return alone().await;
        }
        let (reader, mut told) = oneshot::channel();
        let place = self.gathered.join(Read {
            kind,
            sql: Arc::clone(sql),
            params: params.iter().map(Param::to_owned).collect(),
            since: Instant::now(),
            reader,
        });
        self.begin_what_is_due();
        let patience = self.pools.readers.patience();
        let told = match timeout(patience, &mut told).await {
            Ok(told) => told,
            Err(_) if place.leave() => {
                self.metrics.database.waited(Pool::Readers, patience);
                return Err(DB::classify(sqlx::Error::PoolTimedOut));
            }
            // Taken just now: the answer is on its way.
            Err(_) => told.await,
        };
        match told {
            Ok(answer) => answer,
            // They could not be made together.
            Err(_) => alone().await,
        }
    }

    fn under_way(self: &Arc<Self>, kind: Kind) -> UnderWay<DB> {
        let shared = Arc::clone(self);
        UnderWay { shared, kind }
    }

    /// Begins the statements that are due. Each is a task of its own: any of its readers may go away, and the
    /// others are to hear their answers.
    fn begin_what_is_due(self: &Arc<Self>) {
        while let Some(reads) = self.gathered.take(self.pools.readers.size()) {
            let under_way = self.under_way(reads[0].kind.clone());
            tokio::spawn(async move { under_way.shared.answer_all(reads).await });
        }
    }

    /// Answers reads. Where they cannot be made together nobody is told, and each is made alone.
    async fn answer_all(&self, reads: Vec<Read>) {
        for read in &reads {
            let waited = read.since.elapsed();
            self.metrics.database.waited(Pool::Readers, waited);
        }
        let answers = match &*reads {
            [read] => vec![
                self.read(&self.pools.readers, &read.sql, &read.params)
                    .await,
            ],
            reads => self.read_all(reads).await.unwrap_or_default(),
        };
        for (read, answer) in reads.into_iter().zip(answers) {
            // Whoever has gone away needs no answer.
            drop(read.reader.send(answer));
        }
    }

    /// Makes reads together; none where that fails.
    async fn read_all(&self, reads: &[Read]) -> Option<Vec<Result<Option<String>>>> {
        let mut reader = self.pools.readers.acquire().await.ok()?;
        match self.fetch_together(&mut reader, reads).await {
            Ok(answers) => {
                reader.keep();
                Some(answers.into_iter().map(Ok).collect())
            }
            Err(error) => {
                drop(go_on_after(error, &mut reader));
                None
            }
        }
    }

    async fn fetch_together(
        &self,
        reader: &mut InUse<DB>,
        reads: &[Read],
    ) -> Result<Vec<Option<String>>> {
        let rows: Vec<&[Param<'_>]> = reads.iter().map(|read| &*read.params).collect();
        let text = self.together.text::<DB>(&reads[0]);
        let connection = reader.connection().map_err(DB::classify)?;
        answer::<DB, _>(DB::fetch_together(connection, &text, &rows)).await
    }
}

impl<DB: Backend> Drop for UnderWay<DB> {
    fn drop(&mut self) {
        self.shared.gathered.ended(&self.kind);
        self.shared.begin_what_is_due();
    }
}

/// The statements that make several reads, by where those lie that make one, of which there is one each. They
/// are made when they are first needed.
#[derive(Default)]
pub(crate) struct Texts(Mutex<HashMap<usize, Arc<str>>>);

impl Texts {
    fn text<DB: Backend>(&self, read: &Read) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.entry(Arc::as_ptr(&read.sql).addr());
        let together = || DB::together(&read.sql, &read.params).into();
        Arc::clone(text.or_insert_with(together))
    }
}
