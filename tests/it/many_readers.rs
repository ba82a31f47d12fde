//! More readers at once than there are connections: what they ask for is read together.

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};

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
                let inbox = client.list(Folder::Inbox).await;
                let snippets: Vec<_> = inbox.threads.iter().map(|view| &*view.snippet).collect();
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
            });
        }
    }
    soon("all answers", reading.join_all()).await;
}

/// Past the service, a lock under which no thread can be read, and who waits for it.
struct Held {
    admin: Mutex<PgConnection>,
    holder: PgConnection,
}

impl Held {
    async fn on(server: &TestServer) -> Self {
        let url = server.database().url();
        let connect = || async { PgConnection::connect(&url).await.expect("an answer") };
        let (admin, mut holder) = (Mutex::new(connect().await), connect().await);
        let lock = sqlx::raw_sql("BEGIN; LOCK TABLE threads IN ACCESS EXCLUSIVE MODE");
        lock.execute(&mut holder).await.unwrap();
        Self { admin, holder }
    }

    /// Waits until so many statements wait that begin like this.
    async fn waits(&self, many: i64, beginning: &str) {
        let count = format!("SELECT count(*) {}", waiting(beginning));
        let count = &count;
        eventually("statements that wait", async || {
            let count = sqlx::query_scalar(AssertSqlSafe(count.as_str()));
            let count: i64 = count
                .fetch_one(&mut *self.admin.lock().await)
                .await
                .unwrap();
            (count >= many).then_some(())
        })
        .await;
    }

    /// Ends the connections of these statements.
    async fn cut_off(&self, beginning: &str) {
        let cut = format!(
            "SELECT pg_terminate_backend(pid, 5000) {}",
            waiting(beginning)
        );
        let cut = sqlx::raw_sql(AssertSqlSafe(cut));
        cut.execute(&mut *self.admin.lock().await).await.unwrap();
    }

    async fn release(mut self) {
        let end = sqlx::raw_sql("ROLLBACK");
        end.execute(&mut self.holder).await.unwrap();
    }
}

fn waiting(beginning: &str) -> String {
    format!(
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE '{beginning}%'"
    )
}

/// How the statement of one read begins, and that of several.
const ONE: &str = "WITH";
const SEVERAL: &str = "SELECT read.place";

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

    let held = Held::on(&server).await;
    let reading = read_all();
    for (many, statement) in [(2, ONE), (8, SEVERAL)] {
        held.waits(many, statement).await;
        held.cut_off(statement).await;
    }
    held.release().await;
    soon("all answers", reading.join_all()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_go_away_keep_nobody_waiting() {
    let server = server_that_keeps_no_pages(Database::Postgres).await;
    let threads = tell_all(&server, "one").await;
    let read = |number: usize| {
        let client = server.client(&reader(number)).in_tenant("one");
        let thread = threads[number].clone();
        tokio::spawn(async move { client.lines(&thread).await })
    };
    let held = Held::on(&server).await;
    let go_away = [read(0), read(1)];
    held.waits(2, ONE).await;
    let (goes_away, stay) = (read(2), [read(3), read(4)]);
    eventually("all calls", async || {
        let series = "letterbox_rpc_in_flight{rpc=\"GetThread\"}";
        (server.scrape().await.count(series) == 5).then_some(())
    })
    .await;
    go_away
        .iter()
        .chain([&goes_away])
        .for_each(JoinHandle::abort);
    // The two that nobody wants any more, and one of those who have stayed.
    held.waits(3, "").await;
    held.release().await;
    for (reading, number) in stay.into_iter().zip(3..) {
        let lines = soon("an answer", reading).await.unwrap();
        assert_eq!(lines, [format!("1 ana: one {number}")]);
    }
}
