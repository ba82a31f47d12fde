//! What a server remembers of a tenant is never older than what another server has done.

use crate::support::{prelude::*, told};

/// Two servers on one database that deliver to known users only, ana and ben; the first has written
/// to both, and remembers them.
async fn two_servers() -> (TestServer, TestServer) {
    let setup = TestServer::setup().settings(|settings| settings.known_users_only = true);
    let first = setup.start(Database::Postgres).await;
    let second = first.replica().await;
    let admin = second.client("root").as_admin();
    admin
        .create_users(vec![told("ana Ana"), told("ben Ben")])
        .await;
    for _ in 0..3 {
        first.client("ana").start("hello", &["ben"], "Hello").await;
    }
    (first, second)
}

fn to_ben() -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_told_to_one_server_is_in_the_next_answer_of_the_other() {
    let (first, second) = two_servers().await;
    let (ana, admin) = (first.client("ana"), second.client("root").as_admin());
    for name in ["Benjamin", "Benno", "Ben"] {
        admin.update_users(vec![told(&format!("ben {name}"))]).await;
        let view = ana.send_message(to_ben()).await.unwrap().view.unwrap();
        let people = view.thread.unwrap().participants;
        assert_eq!(people[1].first_name, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deactivated_through_one_server_is_not_written_to_through_the_other() {
    let (first, second) = two_servers().await;
    let (ana, admin) = (first.client("ana"), second.client("root").as_admin());
    for _ in 0..3 {
        ana.send_message(to_ben()).await.unwrap();
        admin.deactivate(&["ben"]).await;
        let refused = ana.send_message(to_ben()).await;
        assert_refused(refused, Code::NotFound, "RECIPIENT_NOT_FOUND");
        admin.reactivate(&["ben"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_rests_on_nothing_that_another_server_has_changed() {
    let setup = TestServer::setup().settings(|settings| settings.known_users_only = true);
    let first = setup.start(Database::Postgres).await;
    let second = first.replica().await;
    let admin = second.client("root").as_admin();
    admin
        .create_users(vec![told("ana Ana"), told("ben Ben"), told("cleo Cleo")])
        .await;
    admin.deactivate(&["ben"]).await;
    let ana = first.client("ana");
    ana.start("hello", &["cleo"], "Hello").await;
    // Nothing is saved, by which the server would notice.
    for _ in 0..2 {
        let refused = ana.send_message(to_ben()).await;
        assert_refused(refused, Code::NotFound, "RECIPIENT_NOT_FOUND");
    }
    admin.reactivate(&["ben"]).await;
    ana.send_message(to_ben()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_goes_on_from_what_another_server_has_written() {
    let (first, second) = two_servers().await;
    let thread = first.client("ana").start("plans", &["ben"], "1").await;
    let thread = thread.thread;
    for number in [2, 5, 8] {
        let more = first.client("ana").reply(&thread, "first").await;
        assert_eq!(more.message.number, number);
        second.client("ben").mark_read(&thread).await;
        for number in number + 1..number + 3 {
            let more = second.client("ben").reply(&thread, "second").await;
            assert_eq!(more.message.number, number);
        }
        let unread = first.client("ana").view(&thread).await.unread_count;
        assert_eq!(unread, 2);
        assert_eq!(first.client("ben").summary().await.unread_message_count, 3);
    }
}

/// How often a server has had all that a batch touches in its memory.
async fn remembered(server: &TestServer) -> i64 {
    let series = "letterbox_writer_loads_total{source=\"memory\"}";
    server.scrape().await.count(series)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_does_not_make_a_server_forget_the_others(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    let before = remembered(&server).await;
    ana.start("more plans", &["ben"], "Dinner?").await;
    assert_eq!(remembered(&server).await, before + 1);
    ana.start("hello", &["cleo"], "Hello").await;
    ana.start("other plans", &["ben"], "Breakfast?").await;
    assert_eq!(remembered(&server).await, before + 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_one_command_did_the_next_one_sees_though_nothing_is_read_anew(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let first = ana.start("plans", &["ben"], "1").await;
    let thread = &first.thread;
    for number in 2..6 {
        let reply = ana.reply(thread, "more").await;
        assert_eq!(reply.message.number, number);
        let edited = ana.edit(&reply.message, &format!("edited {number}")).await;
        assert_eq!(edited.revision, 2);
        assert_eq!(ben.mark_unread(thread).await.unread_count, 2);
        assert_eq!(ben.delete(thread).await.snippet, format!("edited {number}"));
        assert_eq!(ben.list(Folder::Deleted).await.total_size, 1);
        ben.restore(thread).await;
        assert_eq!(
            ben.mark_read_up_to(thread, number - 1).await.unread_count,
            1
        );
        assert_eq!(ben.summary().await.unread_message_count, 1);
    }
}

/// How many of a server's batches have waited for their tenant's turn.
async fn turns_taken(server: &TestServer) -> i64 {
    let series = "letterbox_writer_step_seconds_count{step=\"turn\"}";
    server.scrape().await.count(series)
}

/// Of most users it need not ask again, whatever thread they are in; of others it has to.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_counts_for_those_whom_a_server_remembers_and_for_those_whom_it_does_not(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben", "cleo"], "Lunch?").await.thread;
    let news = ana.start("news", &["dan", "eve"], "Hear this").await.thread;
    let server = server.restart().await;
    let ana = server.client("ana");
    ana.start("hello", &["dan", "eve"], "Hello").await;
    let turns = turns_taken(&server).await;
    let threads = [(&plans, ["ben", "cleo"]), (&news, ["dan", "eve"])];
    for (thread, people) in threads {
        let reply = ana.reply(thread, "And more").await;
        let participants = reply.view.thread.unwrap().participants;
        let participants: Vec<_> = participants.iter().map(|user| &user.id).collect();
        assert_eq!(participants, ["ana", people[0], people[1]]);
    }
    // With the turn all would be loaded anew.
    assert_eq!(turns_taken(&server).await, turns);
    for (thread, people) in threads {
        for user in people {
            let client = server.client(user);
            assert_eq!(client.view(thread).await.unread_count, 2, "{user}");
            let unread = client.list(Folder::Unread).await.threads;
            let unread = unread.iter().map(|view| view.unread_count);
            let summary = client.summary().await;
            assert_eq!(summary.unread_message_count, unread.sum::<i32>(), "{user}");
        }
    }
}
