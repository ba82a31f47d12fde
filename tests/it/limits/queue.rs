//! What waits to be written.

use std::num::NonZeroUsize;

use letterbox::config::Limits;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::prelude::*;

/// Somebody else has the database, so that whatever is to be written waits.
enum Busy {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Busy {
    async fn begin(database: Database, url: &str) -> Self {
        match database {
            Database::Sqlite => {
                let mut connection = SqliteConnection::connect(url).await.expect("a connection");
                let begin = sqlx::query("BEGIN IMMEDIATE");
                begin
                    .execute(&mut connection)
                    .await
                    .expect("the write lock");
                Self::Sqlite(connection)
            }
            Database::Postgres => {
                let mut connection = PgConnection::connect(url).await.expect("a connection");
                for statement in ["BEGIN", "SELECT 1 FROM log_heads FOR UPDATE"] {
                    let locked = sqlx::query(statement).execute(&mut connection).await;
                    locked.expect("the turn");
                }
                Self::Postgres(connection)
            }
        }
    }

    async fn end(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
        .expect("a connection ends");
    }
}

#[rstest]
#[case::one_command(|limits: &mut Limits| limits.queue_max = NonZeroUsize::MIN)]
#[case::a_byte_a_user(|limits: &mut Limits| limits.queue_bytes_max = 8)]
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_queue_is_refused_at_once_and_reads_go_on(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] limit: fn(&mut Limits),
) {
    let server = TestServer::setup()
        .settings(move |settings| limit(&mut settings.limits))
        .start(database)
        .await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let busy = Busy::begin(database, &server.database().url()).await;
    let reply = |content: &str| ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: content.to_owned(),
        request_id: request_id(),
        ..Default::default()
    };

    let first = tokio::spawn({
        let (ana, reply) = (ana.clone(), reply("first"));
        async move { ana.reply_thread(reply).await }
    });
    // Whichever of them came first waits, the others are told.
    let shed = eventually("a refusal", async || {
        let refused = ana.reply_thread(reply("one too many"));
        let refused = tokio::time::timeout(QUICK, refused).await.ok()?;
        refused.err()
    });
    let refusal = assert_refused(Err::<(), _>(shed.await), Code::Unavailable, "OVERLOADED");
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
    assert_eq!(ana.lines(&plans.thread).await, ["1 ana: Lunch?"]);

    busy.end().await;
    let answer = soon("the first one's answer", first).await.expect("a task");
    if let Err(status) = answer {
        assert_eq!(Refusal::of(&status).reason, "OVERLOADED", "{status:?}");
    }
    // Those who have gone leave the queue with the next batch.
    eventually("room in the queue", async || {
        ana.reply_thread(reply("later")).await.ok()
    })
    .await;
}
