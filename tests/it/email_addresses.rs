//! A deployment that hides e-mail addresses: everybody sees their own, and nobody else's.

use crate::support::{prelude::*, told};

/// A server that hides addresses, or not, with three users who have one.
async fn server(database: Database, hide: bool) -> TestServer {
    let setup = TestServer::setup().settings(|settings| settings.hide_email_addresses = hide);
    let server = setup.start(database).await;
    let users = ["ana", "ben", "cleo"].map(|name| told(&format!("{name} {name} Doe {name}@x.org")));
    server
        .client("root")
        .as_admin()
        .create_users(users.into())
        .await;
    server
}

/// Every user that an answer shows, as `ana ana@x.org`, each once.
fn shown(answer: &impl std::fmt::Debug) -> Vec<String> {
    // Whatever the answer is made of: an address that a new field shows is found, too.
    let text = format!("{answer:?}");
    let mut users: Vec<String> = text
        .split("User { id: \"")
        .skip(1)
        .map(|user| {
            let (id, rest) = user.split_once('"').expect("an id");
            let (_, email) = rest.split_once("email: \"").expect("an address");
            let (email, _) = email.split_once('"').expect("its end");
            format!("{id} {email}").trim().to_owned()
        })
        .collect();
    users.sort();
    users.dedup();
    users
}

#[rstest]
#[case::hidden(true, &["ana ana@x.org", "ben"])]
#[case::shown(false, &["ana ana@x.org", "ben ben@x.org"])]
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_shows_the_callers_address_and_others_only_where_none_is_hidden(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] hide: bool,
    #[case] expected: &[&str],
) {
    let server = server(database, hide).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watch = ana.watch().await;
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let thread = plans.thread.as_str();
    ben.reply(thread, "Yes").await;
    assert_eq!(shown(&plans), expected);
    assert_eq!(shown(&ana.reply(thread, "Good").await), expected);
    assert_eq!(
        shown(&ana.edit(&plans.message, "Dinner?").await),
        expected[..1]
    );
    assert_eq!(shown(&ana.read(thread).await), expected);
    assert_eq!(shown(&ana.list(Folder::All).await), expected);
    assert_eq!(shown(&ana.summary().await), expected[..1]);
    assert_eq!(shown(&ana.mark_unread(thread).await), expected);
    assert_eq!(shown(&ana.mark_read(thread).await), expected);
    assert_eq!(shown(&ana.delete(thread).await), expected);
    assert_eq!(shown(&ana.restore(thread).await), expected);
    // Sent, replied, replied, edited, and four changes of the view.
    for _ in 0..8 {
        assert_eq!(shown(&watch.event().await), expected);
    }
    let mut replayed = ana.resume(&watch.ready_token).await;
    for _ in 0..8 {
        assert_eq!(shown(&replayed.event().await), expected);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_watches_everybody_sees_addresses_for_it_may_have_to_write_to_them(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = server(database, true).await;
    let notifier = server.client("notifier").with_scopes("letterbox.watch-all");
    let (mut all, mut own) = (notifier.watch_all().await, notifier.watch().await);
    let ana = server.client("ana");
    ana.start("plans", &["ben", "notifier"], "Lunch?").await;
    let everybody = ["ana ana@x.org", "ben ben@x.org", "notifier"];
    assert_eq!(shown(&all.event().await), everybody);
    // Its own watch is that of a participant.
    assert_eq!(shown(&own.event().await), ["ana", "ben", "notifier"]);
}
