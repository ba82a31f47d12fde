//! A log whose beginning retention has removed, beside a snapshot for which all of it is still there.

use sqlx::{AssertSqlSafe, Executor, Postgres};

use super::{
    super::{Param, Statements},
    filled::{Told, connect, drop_database, postgres_database},
    plan,
};

/// How many events there were, and how many are left.
const THERE_WERE: i64 = 20_000;
const LEFT: i64 = 1_000;

#[tokio::test]
async fn what_retention_has_removed_is_not_walked_again_beside_a_snapshot() {
    let name = "plans_removed";
    let mut connection = postgres_database(name, THERE_WERE, Told::Sizes).await;
    let mut snapshot = connect(name).await;
    let hold = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events";
    snapshot.execute(hold).await.unwrap();
    let oldest = THERE_WERE - LEFT + 1;
    for table in ["events", "audience"] {
        let remove = format!("DELETE FROM {table} WHERE position < {oldest}");
        connection.execute(AssertSqlSafe(remove)).await.unwrap();
    }

    let statements = Statements::of::<Postgres>();
    let tenant = || Param::Text("default");
    let page = || {
        [
            tenant(),
            Param::Text("ana"),
            Param::Int(THERE_WERE - 1),
            Param::Int(51),
        ]
    };
    let piece = || [tenant(), Param::Int(oldest + 10), Param::Int(oldest)];
    let point = [tenant(), Param::Int(THERE_WERE - 1)];
    let cases: [(_, &[Param<'_>]); 6] = [
        (&statements.log_of_everyone, &page()),
        (&statements.log_of_user, &page()),
        (&statements.log_point, &point),
        (&statements.rest_mailboxes, &piece()),
        (&statements.expire_audience, &piece()),
        (&statements.expire_events, &piece()),
    ];
    let walk = "SELECT min(position) FROM events WHERE tenant = $1";
    let walk = plan(&mut connection, walk, &[tenant()]).await;
    for (sql, parameters) in cases {
        let plan = plan(&mut connection, sql, parameters).await;
        let (touched, walk) = (pages(&plan), pages(&walk));
        assert!(
            4 * touched <= walk,
            "{sql} touched {touched}, a walk {walk}"
        );
    }
    drop((connection, snapshot));
    drop_database(name).await;
}

/// How many of the tables' and indexes' pages were touched.
fn pages(plan: &serde_json::Value) -> u64 {
    let blocks = ["Shared Hit Blocks", "Shared Read Blocks"];
    blocks.iter().filter_map(|name| plan[*name].as_u64()).sum()
}
