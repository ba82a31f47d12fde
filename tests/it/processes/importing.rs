//! `letterbox import` from tables that no application of Django would have written.

use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use super::deployment::Deployment;
use crate::support::prelude::*;

/// The package's tables, with what SQLite lets anybody store in them as times.
const TABLES: &str = "
    CREATE TABLE auth_user (id integer PRIMARY KEY, first_name text, last_name text, email text);
    CREATE TABLE django_messages_drf_auditmodel (id integer PRIMARY KEY, created_at datetime, modified_at datetime);
    CREATE TABLE django_messages_drf_thread (auditmodel_ptr_id integer PRIMARY KEY, uuid char(32), subject text);
    CREATE TABLE django_messages_drf_userthread
        (id integer PRIMARY KEY, thread_id bigint, user_id integer, unread bool, deleted bool);
    CREATE TABLE django_messages_drf_message
        (id integer PRIMARY KEY, uuid char(32), thread_id bigint, sender_id integer, sent_at datetime, content text);
    INSERT INTO auth_user VALUES (1, 'Ana', '', ''), (2, 'Ben', '', '');
    INSERT INTO django_messages_drf_auditmodel VALUES (1, CAST(x'ff' AS text), CAST(x'c328' AS text));
    INSERT INTO django_messages_drf_thread VALUES (1, '0123456789abcdef0123456789abcdef', 'plans');
    INSERT INTO django_messages_drf_userthread VALUES (1, 1, 1, 0, 1), (2, 1, 2, 1, 0);
    INSERT INTO django_messages_drf_message VALUES
        (1, '1123456789abcdef0123456789abcdef', 1, 1, '2020-01-01 00:00:00', 'Lunch?'),
        (2, '2123456789abcdef0123456789abcdef', 1, 2, CAST(x'ff' AS text), 'Yes'),
        (3, '3123456789abcdef0123456789abcdef', 1, 1, 'tomorrow', 'Fine');
";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_none_is_that_of_the_message_before_also_where_it_is_no_text(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let file = deployment.folder().join("django.db");
    let options = SqliteConnectOptions::new().filename(&file);
    let mut source = options.create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(TABLES).execute(&mut source).await.unwrap();
    drop(source);

    let ended = deployment
        .run(&["import", "django", "--from=django.db"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "imported: 2 users, 1 threads, 3 messages",
        "repaired: 2 times that are none: that of the message before",
    ] {
        assert!(ended.stdout.contains(&line.to_owned()), "{ended:#?}");
    }
    deployment.check().await;
}
