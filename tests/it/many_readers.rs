//! More readers at once than there are connections: what they ask for is read together.

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{sync::Mutex, task::JoinSet};

use crate::support::prelude::*;

/// How many read at once; more than the database has connections for.
const READERS: usize = 100;

/// What is asked for over and over is read each time.
async fn server_that_keeps_no_pages(database: Database) -> TestServer {
    let setup = TestServer::setup();
    let setup = setup.settings(|settings| settings.limits.page_cache_bytes_max = 0);
    setup.start(database).await
}

fn reader(number: usize) -> String {
    format!("reader-{number}")
}

/// Tells each reader, in this tenant, their own number.
async fn tell_all(server: &TestServer, tenant: &str) -> Vec<String> {
    let ana = server.client("ana").in_tenant(tenant);
    let ana = &ana;
    let telling = (0..READERS).map(|number| async move {
        let content = format!("{tenant} {number}");
        ana.start("number", &[&reader(number)], &content)
            .await
            .thread
    });
    join_all(telling).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_read_at_once_each_gets_their_own_pages(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = server_that_keeps_no_pages(database).await;
    let mut reading = JoinSet::new();
    for tenant in ["one", "two"] {
        let threads = tell_all(&server, tenant).await;
        let elsewhere = threads[0].clone();
        for (number, thread) in threads.into_iter().enumerate() {
            let client = server.client(&reader(number)).in_tenant(tenant);
            let elsewhere = (number > 0).then(|| elsewhere.clone());
            reading.spawn(async move {
                for _ in 0..3 {
                    let inbox = client.list(Folder::Inbox).await;
                    let snippets: Vec<_> =
                        inbox.threads.iter().map(|view| &*view.snippet).collect();
                    assert_eq!(snippets, [format!("{tenant} {number}")]);
                    assert_eq!(
                        client.lines(&thread).await,
                        [format!("1 ana: {tenant} {number}")]
                    );
                    assert_eq!(client.summary().await.unread_thread_count, 1);
                    assert_eq!(client.subjects(Folder::Sent).await, [""; 0]);
                    if let Some(thread_id) = &elsewhere {
                        let thread_id = thread_id.clone();
                        let other = client.get_thread(GetThreadRequest {
                            thread_id,
                            ..Default::default()
                        });
                        assert_refused(other.await, Code::NotFound, "THREAD_NOT_FOUND");
                    }
                }
            });
        }
    }
    soon("all answers", reading.join_all()).await;
}

/// A connection past the service.
async fn connect(server: &TestServer) -> PgConnection {
    let url = server.database().url();
    PgConnection::connect(&url)
        .await
        .expect("the database answers")
}

/// Cuts off those who wait for a lock with a statement like this, as soon as there are so many.
async fn cut_off(connection: &mut PgConnection, many: i64, statement: &str) {
    let waiting = format!(
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE '{statement}%'"
    );
    let connection = &Mutex::new(connection);
    let count = &format!("SELECT count(*) {waiting}");
    eventually("statements that wait", async || {
        let count = sqlx::query_scalar(AssertSqlSafe(count.as_str()));
        let count: i64 = count
            .fetch_one(&mut **connection.lock().await)
            .await
            .unwrap();
        (count >= many).then_some(())
    })
    .await;
    let cut = format!("SELECT pg_terminate_backend(pid, 5000) {waiting}");
    let cut = sqlx::raw_sql(AssertSqlSafe(cut));
    cut.execute(&mut **connection.lock().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_whose_pages_could_not_be_read_together_get_them_all_the_same() {
    let server = server_that_keeps_no_pages(Database::Postgres).await;
    let threads = tell_all(&server, "one").await;
    let read_all = || {
        let mut reading = JoinSet::new();
        for (number, thread) in threads.iter().cloned().enumerate() {
            let client = server.client(&reader(number)).in_tenant("one");
            reading.spawn(async move {
                let lines = client.lines(&thread).await;
                assert_eq!(lines, [format!("1 ana: one {number}")]);
            });
        }
        reading
    };
    // Only of a connection that was good before it is believed that another one may be better.
    soon("all answers", read_all().join_all()).await;

    let (mut holder, mut admin) = (connect(&server).await, connect(&server).await);
    let mut held = holder.begin().await.unwrap();
    let lock = sqlx::raw_sql("LOCK TABLE threads IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut *held).await.unwrap();
    let reading = read_all();
    cut_off(&mut admin, 2, "WITH").await;
    cut_off(&mut admin, 8, "SELECT read.place").await;
    held.rollback().await.unwrap();
    soon("all answers", reading.join_all()).await;
}
