//! The admin service: a tenant's users; how much tenants hold is in [`sizes`].

mod sizes;

use letterbox::pb::admin::{
    BatchCreateUsersRequest, BatchDeactivateUsersRequest, BatchUpdateUsersRequest,
    ListTenantsRequest, ListUsersRequest, User, UserFilter, UserProfile,
};

use crate::support::{ids, named, prelude::*, told};

/// A server that delivers to known users only, and an admin.
async fn known_users_only(database: Database) -> (TestServer, Client) {
    let setup = TestServer::setup().settings(|settings| settings.known_users_only = true);
    let server = setup.start(database).await;
    let admin = server.client("root").as_admin();
    (server, admin)
}

fn send(recipients: &[&str]) -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: recipients.iter().copied().map(str::to_owned).collect(),
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: String::new(),
    }
}

/// A user in short: `ben Ben Baker ben@example.org`.
fn line(user: &User) -> String {
    let User {
        id,
        first_name,
        last_name,
        email,
        ..
    } = user;
    format!("{id} {first_name} {last_name} {email}")
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn whom_an_admin_has_created_can_be_written_to_under_the_name_that_was_told(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, admin) = known_users_only(database).await;
    let ana = server.client("ana");
    assert_refused(
        ana.send_message(send(&["ben"])).await,
        Code::NotFound,
        "RECIPIENT_NOT_FOUND",
    );
    let created = admin
        .create_users(vec![told("ben Ben Baker ben@example.org"), named("cleo")])
        .await;
    assert_eq!(ids(&created), ["ben", "cleo"]);
    assert!(created.iter().all(|user| user.known_time.is_some()));

    let sent: Sent = ana
        .send_message(send(&["ben", "cleo"]))
        .await
        .unwrap()
        .into();
    let ben = &sent.view.thread().participants[1];
    assert_eq!(
        (ben.first_name.as_str(), ben.email.as_str()),
        ("Ben", "ben@example.org")
    );
    let reply = server.client("ben").reply(&sent.thread, "Yes").await;
    assert_eq!(reply.message.sender.expect("a sender").last_name, "Baker");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn creating_again_tells_anew_and_leaves_what_it_does_not_tell(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, admin) = known_users_only(database).await;
    server.client("ben").summary().await;
    let batch = || vec![told("ben Ben Baker"), told("cleo Cleo")];
    let first = admin.create_users(batch()).await;
    let again = admin.create_users(batch()).await;
    assert_eq!(
        again.iter().map(line).collect::<Vec<_>>(),
        ["ben Ben Baker ", "cleo Cleo  "]
    );
    let known = |users: &[User]| users.iter().map(|user| user.known_time).collect::<Vec<_>>();
    assert_eq!(known(&first), known(&again));
    assert_eq!(
        line(&admin.create_users(vec![named("ben")]).await[0]),
        "ben Ben Baker "
    );
    assert_eq!(
        ids(&admin.users(UserFilter::All).await),
        ["ben", "cleo", "root"]
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_is_present_and_removes_what_is_present_and_empty(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_server, admin) = known_users_only(database).await;
    admin
        .create_users(vec![told("ben Ben Baker ben@example.org"), named("cleo")])
        .await;
    let update = UserProfile {
        last_name: Some("Bauer".into()),
        email: Some(String::new()),
        ..named("ben")
    };
    let updated = admin.update_users(vec![update, told("cleo Cleo")]).await;
    assert_eq!(
        updated.iter().map(line).collect::<Vec<_>>(),
        ["ben Ben Bauer ", "cleo Cleo  "]
    );
    assert_eq!(updated, admin.users(UserFilter::All).await[..2]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_user_who_is_not_there_changes_nobody(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_server, admin) = known_users_only(database).await;
    admin.create_users(vec![told("ben Ben")]).await;
    let users = vec![told("ben Bruno"), told("cleo Cleo"), named("dan")];
    let refused = admin
        .batch_update_users(BatchUpdateUsersRequest { users })
        .await;
    let refusal = assert_refused(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(refusal.metadata["userIds"], "cleo dan");
    assert_eq!(refusal.metadata["userCount"], "2");
    let user_ids = vec!["ben".into(), "cleo".into()];
    let refused = admin
        .batch_deactivate_users(BatchDeactivateUsersRequest { user_ids })
        .await;
    assert_refused(refused, Code::NotFound, "USER_NOT_FOUND");
    let all = admin.users(UserFilter::All).await;
    assert_eq!(
        all.iter().map(line).collect::<Vec<_>>(),
        ["ben Ben  ", "root   "]
    );
    assert_eq!(admin.users(UserFilter::Active).await.len(), 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_deactivated_gets_no_new_thread_and_keeps_all_else(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, admin) = known_users_only(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    ben.summary().await;
    let before: Sent = ana.send_message(send(&["ben"])).await.unwrap().into();
    let deactivated = admin.deactivate(&["ben"]).await;
    assert!(deactivated[0].deactivated_time.is_some());
    assert_eq!(admin.deactivate(&["ben"]).await, deactivated);

    let refused = ana.send_message(send(&["ben"])).await;
    let refusal = assert_refused(refused, Code::NotFound, "RECIPIENT_NOT_FOUND");
    assert_eq!(refusal.resources, ["ben"]);
    ana.reply(&before.thread, "Anybody?").await;
    assert_eq!(ben.lines(&before.thread).await.len(), 2);
    let reply = ben.reply(&before.thread, "Yes").await;
    assert_eq!(reply.view.participants(), ["ana", "ben"]);
    ben.start("note", &["ben"], "Always possible").await;
    // To create somebody again does not let them in again.
    admin.create_users(vec![told("ben Ben")]).await;
    assert_refused(
        ana.send_message(send(&["ben"])).await,
        Code::NotFound,
        "RECIPIENT_NOT_FOUND",
    );

    assert_eq!(admin.reactivate(&["ben"]).await[0].deactivated_time, None);
    ana.send_message(send(&["ben"]))
        .await
        .expect("ben is active again");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_page_by_page_each_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let admin = server.client("root").as_admin();
    let names: Vec<String> = (0..7).map(|n| format!("user-{n}")).collect();
    admin
        .create_users(names.iter().map(|name| named(name)).collect())
        .await;
    admin.deactivate(&["user-1", "user-2", "user-3"]).await;
    admin.start("plans", &["stranger"], "Who are you?").await;

    for (filter, expected) in [
        (
            UserFilter::Unspecified,
            "root user-0 user-1 user-2 user-3 user-4 user-5 user-6 stranger",
        ),
        (
            UserFilter::Active,
            "root user-0 user-4 user-5 user-6 stranger",
        ),
        (UserFilter::Deactivated, "user-1 user-2 user-3"),
    ] {
        let (mut listed, mut token) = (Vec::new(), String::new());
        loop {
            let request = ListUsersRequest {
                page_size: 2,
                page_token: token,
                filter: filter.into(),
            };
            let page = admin.list_users(request).await.expect("a page");
            assert!(page.users.len() <= 2);
            listed.extend(page.users);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(ids(&listed).join(" "), expected);
    }
    let all = admin.users(UserFilter::All).await;
    assert_eq!(all.last().expect("the stranger").known_time, None);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_of_users_is_good_for_its_own_list_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let admin = server.client("root").as_admin();
    admin.create_users(vec![named("ben"), named("cleo")]).await;
    let page = |filter: UserFilter, page_token: &str| ListUsersRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        filter: filter.into(),
    };
    let token = admin
        .list_users(page(UserFilter::All, ""))
        .await
        .unwrap()
        .next_page_token;
    admin
        .list_users(page(UserFilter::All, &token))
        .await
        .expect("its own list");
    let bad = page(UserFilter::Active, &token);
    assert_invalid(admin.list_users(bad).await, &["page_token"]);
    let other = server.client("other").as_admin();
    assert_invalid(
        other.list_users(page(UserFilter::All, &token)).await,
        &["page_token"],
    );
    let elsewhere = admin.in_tenant("elsewhere");
    assert_invalid(
        elsewhere.list_users(page(UserFilter::All, &token)).await,
        &["page_token"],
    );
    let tenants = ListTenantsRequest {
        page_size: 1,
        page_token: token,
    };
    assert_invalid(admin.list_tenants(tenants).await, &["page_token"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_batch_is_told_with_its_place(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let admin = server.client("root").as_admin();
    let users = vec![
        named("ben"),
        named(""),
        told("ben B\u{7}n"),
        UserProfile {
            email: Some("a\0@b".into()),
            ..named("letterbox:x")
        },
    ];
    let refused = admin
        .batch_create_users(BatchCreateUsersRequest { users })
        .await;
    let refusal = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        refusal.fields,
        [
            "users[1].id",
            "users[2].id",
            "users[2].first_name",
            "users[3].id",
            "users[3].email"
        ],
    );
    assert_eq!(ids(&admin.users(UserFilter::All).await), ["root"]);

    // Whoever may not ask is not told what is wrong with the question.
    let zoe = server.client("zoe").with_scopes("letterbox.watch-all");
    let none = vec![];
    // Larger than any request may be.
    let too_large = vec![named(&"x".repeat(5 << 20))];
    for users in [none, too_large] {
        let refused = zoe.batch_create_users(BatchCreateUsersRequest { users });
        let refusal = assert_refused(refused.await, Code::PermissionDenied, "SCOPE_MISSING");
        assert_eq!(refusal.metadata["scope"], "letterbox.admin");
    }

    let none = admin
        .batch_create_users(BatchCreateUsersRequest { users: vec![] })
        .await;
    assert_invalid(none, &["users"]);
    for (different, broken) in [(1_001, &["user_ids"][..]), (1_000, &["user_ids"; 2])] {
        let user_ids = (0..1_001).map(|n| format!("user-{}", n % different));
        let user_ids = user_ids.collect();
        let many = admin
            .batch_deactivate_users(BatchDeactivateUsersRequest { user_ids })
            .await;
        assert_invalid(many, broken);
    }
    let request = ListUsersRequest {
        page_size: -1,
        page_token: "x".into(),
        filter: 9,
    };
    assert_invalid(
        admin.list_users(request).await,
        &["page_size", "page_token", "filter"],
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_cut_and_long_addresses_dropped(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let admin = server.client("root").as_admin();
    let profile = UserProfile {
        first_name: Some("é".repeat(151)),
        last_name: Some("é".repeat(150)),
        email: Some("e".repeat(255)),
        ..named("ben")
    };
    let ben = admin.create_users(vec![profile]).await.remove(0);
    assert_eq!(ben.first_name, "é".repeat(150));
    assert_eq!(ben.last_name, "é".repeat(150));
    assert_eq!(ben.email, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_are_one_batch(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let admin = server.client("root").as_admin();
    let users: Vec<UserProfile> = (0..1_000)
        .map(|n| told(&format!("user-{n} Name")))
        .collect();
    let created = admin.create_users(users.clone()).await;
    assert_eq!(created.len(), 1_000);
    // Again, and by several jobs at once.
    let again = (0..8).map(|_| admin.create_users(users.clone()));
    let again = futures_util::future::join_all(again).await;
    assert!(again.iter().all(|users| users.len() == 1_000));
    assert_eq!(admin.tenants().await[0].user_count, 1_001);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_admin_changes_users_of_the_own_tenant_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, admin) = known_users_only(database).await;
    let elsewhere = admin.in_tenant("elsewhere");
    admin.create_users(vec![told("ben Ben")]).await;
    assert_eq!(ids(&elsewhere.users(UserFilter::All).await), ["root"]);
    let ana = server.client("ana").in_tenant("elsewhere");
    assert_refused(
        ana.send_message(send(&["ben"])).await,
        Code::NotFound,
        "RECIPIENT_NOT_FOUND",
    );
    elsewhere.create_users(vec![told("ben Bruno")]).await;
    elsewhere.deactivate(&["ben"]).await;
    let ben = &admin.users(UserFilter::Active).await[0];
    assert_eq!(line(ben), "ben Ben  ");
}
