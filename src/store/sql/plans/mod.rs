//! Tests of how the databases carry out the reads: along an index, the rows of a page and no more.

mod filled;
mod removed;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rstest::rstest;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres, Row, Sqlite};
use tempfile::TempDir;

use self::filled::{Told, drop_database, postgres_database, sqlite_database};
use super::{Backend, Param, Statements, json_rows};

/// How many threads the user under test has, and how many messages the long one of them.
const MANY: i64 = 100_000;

/// How many entries a page of the tests asks for, and one more.
const PAGE: i64 = 51;

/// How many rows a read of one page may touch: those of the page, a few of each table.
const ROWS_MAX: f64 = 1_200.0;

/// How many rows are touched to see that nothing is to be read: the caller, two events, who is told, the head;
/// and of a page without one sender, some of the thread's participants.
const ROWS_OF_NOTHING: f64 = 12.0;

const NUMBERS_OF_A_THREAD: usize = 15;

/// The reads that must not grow: of pages, of the log, and of what a batch touches.
fn reads<DB: Backend>() -> Vec<(&'static str, Arc<str>)> {
    const READS: &[&str] = &[
        "inbox",
        "thread_",
        "log_of_",
        "summary",
        "takes_part",
        "log_point",
        "load",
        "users",
        "size",
    ];
    let statements = Statements::of::<DB>();
    let all = statements.all().into_iter();
    all.filter(|(name, _)| READS.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, sql)| (name, Arc::clone(sql)))
        .collect()
}

/// No page is had.
const NO_EVENT: Param<'static> = Param::Id(uuid::Uuid::nil());

/// A read's parameters, somewhere in the middle of what there is.
fn parameters(name: &str, many: i64) -> Vec<Param<'static>> {
    let middle = Param::Int(many / 2);
    let thread = Param::Id(uuid::Uuid::from_u128(1));
    let mut parameters = vec![Param::Text("default"), Param::Text("ana")];
    match name {
        "summary" => {}
        "load" => {
            let hex = |number: u128| format!("{number:032x}");
            let rows = [
                json_rows(&[("ana",), ("cy",)]),
                json_rows(&[(hex(1),), (hex(2),)]),
                json_rows(&[(hex(1_000_003),), (hex(2_000_009),)]),
                json_rows(&[("ana", hex(7))]),
                json_rows(&[("ana", hex(1), many / 2)]),
            ];
            parameters = vec![Param::Text("default")];
            parameters.extend(rows.map(Result::unwrap));
        }
        "load_users" => {
            let numbers = json_rows(&[(1,), (many / 2,)]).unwrap();
            parameters = vec![Param::Text("default"), numbers];
        }
        "users" => parameters = vec![Param::Text("default"), Param::Int(0), Param::Int(PAGE)],
        "size_of_tenant" => parameters = vec![Param::Text("default")],
        "sizes_of_tenants" => parameters = vec![Param::Text(""), Param::Int(PAGE)],
        "takes_part" => parameters.push(thread),
        "log_point" => parameters = vec![Param::Text("default"), middle],
        name if name.starts_with("inbox") => {
            parameters.extend([middle, Param::Int(PAGE), Param::Int(0)]);
            parameters.extend([NO_EVENT, Param::Int(0)]);
        }
        name if name.starts_with("thread_") => {
            parameters.extend([thread, middle, Param::Int(PAGE)]);
            parameters.extend([NO_EVENT, Param::Int(0)]);
            if name.ends_with("_of_others") {
                parameters.push(Param::Text("ana"));
            }
        }
        _ => parameters.extend([middle, Param::Int(PAGE)]),
    }
    parameters
}

/// The same for pages of which nothing is to be read: had in the newest edition, and asked for by an
/// outsider; none for other reads.
fn parameters_of_nothing(name: &str, many: i64) -> Vec<Vec<Param<'static>>> {
    if !(name.starts_with("inbox") || name.starts_with("thread_")) {
        return Vec::new();
    }
    let newest = 3_000_000 + u128::try_from(many).unwrap();
    let mut had = parameters(name, many);
    had[5] = Param::Id(uuid::Uuid::from_u128(newest));
    let mut of_an_outsider = parameters(name, many);
    of_an_outsider[1] = Param::Text("eve");
    vec![had, of_an_outsider]
}

/// A parameter's type and value, as Postgres writes them.
fn literal(param: &Param<'_>) -> (&'static str, String) {
    match param {
        Param::Text(text) => ("text", format!("'{text}'")),
        Param::OwnText(text) => ("text", format!("'{text}'")),
        Param::Int(number) => ("bigint", number.to_string()),
        Param::Id(id) => ("uuid", format!("'{id}'")),
        Param::Rows(rows) => ("jsonb", format!("'{rows}'")),
    }
}

/// How many rows a plan's scans of tables gave or threw away.
fn rows_touched(plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or(0.0);
    let own = if plan["Relation Name"].is_null() && plan["Index Name"].is_null() {
        0.0
    } else {
        let rows = number("Actual Rows") + number("Rows Removed by Filter");
        rows * number("Actual Loops")
    };
    let below = plan["Plans"].as_array();
    own + below.into_iter().flatten().map(rows_touched).sum::<f64>()
}

/// `generic`: the plan for any parameters, which a prepared statement comes to use.
#[rstest]
#[case::custom_plans_without_statistics("plans_custom", "force_custom_plan", Told::Nothing)]
#[case::generic_plans_without_statistics("plans_generic", "force_generic_plan", Told::Nothing)]
#[case::custom_plans_with_statistics("plans_custom_known", "force_custom_plan", Told::Sizes)]
#[case::generic_plans_with_statistics("plans_generic_known", "force_generic_plan", Told::Sizes)]
#[case::custom_plans_among_small_tenants("plans_custom_small", "force_custom_plan", Told::Small)]
#[case::generic_plans_among_small_tenants("plans_generic_small", "force_generic_plan", Told::Small)]
#[case::custom_plans_of_a_small_start("plans_custom_stale", "force_custom_plan", Told::Stale)]
#[case::generic_plans_of_a_small_start("plans_generic_stale", "force_generic_plan", Told::Stale)]
#[tokio::test]
async fn a_read_on_postgres_touches_the_rows_of_its_page_and_no_more(
    #[case] name: &str,
    #[case] mode: &str,
    #[case] told: Told,
) {
    let mut connection = postgres_database(name, MANY, told).await;
    connection
        .execute(AssertSqlSafe(format!("SET plan_cache_mode = {mode}")))
        .await
        .unwrap();
    for (read, sql) in reads::<Postgres>() {
        let plan = plan(&mut connection, &sql, &parameters(read, MANY)).await;
        let touched = rows_touched(&plan);
        assert!(
            touched <= ROWS_MAX,
            "{read} touched {touched} rows: {plan:#}"
        );
        assert!(!plan.to_string().contains("Seq Scan"), "{read}: {plan:#}");
        for parameters in parameters_of_nothing(read, MANY) {
            let plan = self::plan(&mut connection, &sql, &parameters).await;
            let touched = rows_touched(&plan);
            assert!(
                touched <= ROWS_OF_NOTHING,
                "{read} of nothing touched {touched} rows: {plan:#}"
            );
        }
        together(&mut connection, read, &sql).await;
    }
    drop(connection);
    drop_database(name).await;
}

/// Pages that are read together touch the rows that they do alone, and are the same.
async fn together(connection: &mut PgConnection, read: &str, sql: &Arc<str>) {
    let mut pages = parameters_of_nothing(read, MANY);
    if pages.is_empty() {
        return;
    }
    pages.insert(1, parameters(read, MANY));
    pages.push(parameters(read, MANY / 2));
    let pages: Vec<&[Param<'_>]> = pages.iter().map(Vec::as_slice).collect();
    let together: Arc<str> = Postgres::together(sql, pages[0]).into();

    let (mut types, mut values) = (vec!["text".to_owned()], vec![literal(&pages[0][0]).1]);
    for index in 1..pages[0].len() {
        let column = pages.iter().map(|params| literal(&params[index]));
        let (kinds, column): (Vec<_>, Vec<_>) = column.unzip();
        let kind = format!("{}[]", kinds[0]);
        values.push(format!("ARRAY[{}]::{kind}", column.join(", ")));
        types.push(kind);
    }
    types.push("bigint[]".to_owned());
    values.push("ARRAY[0, 1, 2, 3]".to_owned());
    let plan = explained(connection, &together, &types.join(", "), &values.join(", ")).await;
    let touched = rows_touched(&plan);
    let most = 2.0 * (ROWS_MAX + ROWS_OF_NOTHING);
    assert!(
        touched <= most,
        "{read} together touched {touched} rows: {plan:#}"
    );
    assert!(!plan.to_string().contains("Seq Scan"), "{read}: {plan:#}");

    let mut alone = Vec::new();
    for params in &pages {
        alone.push(Postgres::fetch(connection, sql, params).await.unwrap());
    }
    let together = Postgres::fetch_together(connection, &together, &pages).await;
    assert_eq!(together.unwrap(), alone, "{read}");
}

/// How Postgres carries a statement out, and with how many rows.
async fn plan(connection: &mut PgConnection, sql: &str, parameters: &[Param<'_>]) -> Value {
    let (types, values): (Vec<_>, Vec<_>) = parameters.iter().map(literal).unzip();
    explained(connection, sql, &types.join(", "), &values.join(", ")).await
}

async fn explained(connection: &mut PgConnection, sql: &str, types: &str, values: &str) -> Value {
    let prepare = format!("PREPARE this ({types}) AS {sql}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE this ({values})");
    let row = connection.fetch_one(AssertSqlSafe(explain)).await.unwrap();
    connection.execute("DEALLOCATE this").await.unwrap();
    let mut plans: Value = row.get(0);
    plans[0]["Plan"].take()
}

/// How many steps SQLite takes to see that nothing is to be read; a page takes hundreds.
const STEPS_OF_NOTHING: u64 = 60;

/// How many of SQLite's instructions each read takes, by name.
async fn instructions(many: i64) -> Vec<(&'static str, u64)> {
    /// The handler is called after so many.
    const STEP: i32 = 10;
    let folder = TempDir::new().unwrap();
    let mut connection = sqlite_database(&folder, many).await;
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    connection
        .lock_handle()
        .await
        .unwrap()
        .set_progress_handler(STEP, move || {
            counter.fetch_add(1, Ordering::Relaxed);
            true
        });
    let mut instructions = Vec::new();
    for (read, sql) in reads::<Sqlite>() {
        let parameters = parameters(read, many);
        let before = steps.load(Ordering::Relaxed);
        Sqlite::fetch(&mut connection, &sql, &parameters)
            .await
            .unwrap();
        instructions.push((read, steps.load(Ordering::Relaxed) - before));
        for parameters in parameters_of_nothing(read, many) {
            let before = steps.load(Ordering::Relaxed);
            Sqlite::fetch(&mut connection, &sql, &parameters)
                .await
                .unwrap();
            let steps = steps.load(Ordering::Relaxed) - before;
            assert!(
                steps <= STEPS_OF_NOTHING,
                "{read} of nothing: {steps} steps"
            );
        }
    }
    instructions
}

#[tokio::test]
async fn a_read_on_sqlite_takes_the_same_steps_however_many_threads_and_messages_there_are() {
    let few = instructions(4_000).await;
    let many = instructions(40_000).await;
    for ((read, few), (_, many)) in few.into_iter().zip(many) {
        assert!(
            many <= few + few / 5 + 20,
            "{read}: {few} steps of 4,000, {many} of 40,000"
        );
    }
}

#[rstest]
#[case(10)]
#[case(10_000)]
#[tokio::test]
async fn a_page_takes_one_statement_however_many_threads_there_are(#[case] many: i64) {
    let folder = TempDir::new().unwrap();
    let mut connection = sqlite_database(&folder, many).await;
    let sql = Arc::clone(&Statements::of::<Sqlite>().inbox);
    let params = [
        Param::Text("default"),
        Param::Text("ana"),
        Param::Int(i64::MAX),
        Param::Int(PAGE),
        Param::Int(0),
        NO_EVENT,
        Param::Int(0),
    ];
    let answer = Sqlite::fetch(&mut connection, &sql, &params).await.unwrap();
    let answer = answer.unwrap();
    let rows = answer.split('\u{1e}').nth(1).unwrap();
    let numbers = rows.split(' ').count();
    let threads = i64::try_from(numbers / NUMBERS_OF_A_THREAD).unwrap();
    assert_eq!(threads, PAGE.min(many / 3), "{many} threads");
}
