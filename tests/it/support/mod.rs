//! What the tests speak: servers with a database of their own, clients, watches, refusals.

mod admin;
mod client;
mod clock;
mod database;
mod postgres;
mod proxy;
mod raw;
mod reflection;
mod refusal;
mod scrape;
mod server;
mod text;
mod watch;

use std::{
    future::Future,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

pub(crate) use admin::{ids, named, told};
pub(crate) use client::{Client, Sent};
pub(crate) use clock::ManualClock;
pub(crate) use database::{Database, TestDatabase, execute};
pub(crate) use postgres::{give_to_postgres, postgres_folder, postgres_program};
pub(crate) use proxy::{Cut, Proxy};
pub(crate) use raw::{OneMessage, RawClient, frame, next_data, raw_call};
pub(crate) use reflection::{calls, described};
pub(crate) use refusal::{Refusal, assert_invalid, assert_refused};
pub(crate) use scrape::{Scrape, fetch, try_fetch};
pub(crate) use server::{QUICK, TestServer};
pub(crate) use text::{MessageText, ViewText, request_id, subjects, unused_id};
pub(crate) use watch::{Watch, assert_watch_invalid, assert_watch_refused};

pub(crate) use letterbox::pb::{
    self, EditMessageRequest, EventKind, Folder, GetInboxSummaryRequest, GetInboxSummaryResponse,
    GetThreadRequest, GetThreadResponse, ListInboxRequest, ListInboxResponse,
    MarkThreadReadRequest, Message, MessageOrder, Placement, ReplyThreadRequest,
    SendMessageRequest, Thread, ThreadView, WatchMessagesRequest, WatchMessagesResponse,
    WatchScope,
};
pub(crate) use rstest::rstest;
pub(crate) use tonic::Code;

/// What every module of tests needs.
pub(crate) mod prelude {
    pub(crate) use super::*;
}

/// How long a test waits for something that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that has to happen, and fails where it does not.
pub(crate) async fn soon<T>(what: &str, happening: impl Future<Output = T>) -> T {
    within(PATIENCE, what, happening).await
}

/// Waits so long for something that has to happen, and fails where it does not.
async fn within<T>(patience: Duration, what: &str, happening: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(patience, happening).await;
    happened.unwrap_or_else(|_| panic!("waited {patience:?} in vain for {what}"))
}

/// Asks again and again until there is an answer, for what the server does in its own time.
pub(crate) async fn eventually<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_within(PATIENCE, what, ask).await
}

/// Asks again and again until there is an answer, for what may take so long.
pub(crate) async fn eventually_within<T, F>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T
where
    F: Future<Output = Option<T>>,
{
    within(patience, what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// What is behind a lock, which nobody holds for long.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}
