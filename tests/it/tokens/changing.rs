//! What changes while tokens are in use: profiles, keys, and what time it is.

use std::time::{Duration, Instant};

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::issuer::{
    ACT_AS, Deployment, SECRET, assert_turned_away, claims, in_seconds, jwk, name_of, rsa, set,
    signed, token,
};
use letterbox::pb::admin::{ListUsersRequest, UserFilter};

use crate::support::{ids, prelude::*, told};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_its_users_profile_current(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let ana = |given: &str, issued: i64| {
        let profile = json!({"given_name": given, "family_name": "Lima",
            "email": "ana@example.org", "iat": in_seconds(issued)});
        deployment.bearer(&token(&claims("ana", profile)))
    };
    // From the first call on.
    let plans = ana("Ana", 0).start("plans", &["ben"], "Lunch?").await;
    let sender = plans.message.sender.expect("a sender");
    let said = [sender.first_name, sender.last_name, sender.email];
    assert_eq!(said, ["Ana", "Lima", "ana@example.org"]);

    // An older token changes nothing; a newer one does, for its own call and all that begin later.
    let name = async || {
        let message = deployment
            .user("ben")
            .read(&plans.thread)
            .await
            .messages
            .remove(0);
        message.sender.expect("a sender").first_name
    };
    // Stored when a call returns; one that has waited for a second for that goes on without.
    let stored = async |expected: &str, begun: Instant| {
        if begun.elapsed() < Duration::from_secs(1) {
            assert_eq!(name().await, expected);
        }
        eventually(expected, async || (name().await == expected).then_some(())).await;
    };
    ana("Before", -60).summary().await;
    assert_eq!(name().await, "Ana");
    for (given, issued) in [("Anne", 59), ("Anna", 60)] {
        let begun = Instant::now();
        let summary = ana(given, issued).summary().await;
        assert_eq!(summary.user.expect("the caller").first_name, given);
        stored(given, begun).await;
    }
    // Of two of the same second the one that is seen last counts.
    for given in ["Anja", "Anna"] {
        let begun = Instant::now();
        ana(given, 60).summary().await;
        stored(given, begun).await;
    }
    // A service that acts for her speaks of itself.
    let robot = json!({"scope": ACT_AS, "given_name": "Robot", "iat": in_seconds(120)});
    let robot = deployment.bearer(&token(&claims("robot", robot)));
    robot.with("x-user-id", "ana").summary().await;
    assert_eq!(name().await, "Anna");
    // What a token does not say stays as it was.
    let partial = json!({"email": "new@example.org", "iat": in_seconds(180)});
    deployment
        .bearer(&token(&claims("ana", partial)))
        .summary()
        .await;
    let user = async || {
        deployment
            .user("ana")
            .summary()
            .await
            .user
            .expect("the caller")
    };
    assert_eq!(user().await.email, "new@example.org");
    assert_eq!(user().await.first_name, "Anna");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_do_not_say_when_they_were_issued_count_in_the_order_in_which_they_are_seen(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    // However long each is good for.
    for (given, seconds) in [("Ana", 3_600), ("Anna", 60), ("Anja", 600)] {
        let profile = json!({"given_name": given, "iat": null, "exp": in_seconds(seconds)});
        let ana = deployment.bearer(&token(&claims("ana", profile)));
        let user = ana.summary().await.user.expect("the caller");
        assert_eq!(user.first_name, given);
    }
    let issued = json!({"given_name": "Anne", "iat": in_seconds(1)});
    let ana = deployment.bearer(&token(&claims("ana", issued)));
    let user = ana.summary().await.user.expect("the caller");
    assert_eq!(user.first_name, "Anne");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_no_answer_could_tell_says_as_little_as_none() {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    for (given, issued) in [("Ana", 900_000_000_000), ("Anna", in_seconds(60))] {
        let profile = json!({"given_name": given, "iat": issued});
        let ana = deployment.bearer(&token(&claims("ana", profile)));
        let user = ana.summary().await.user.expect("the caller");
        assert_eq!(user.first_name, given);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_cut_and_long_addresses_dropped() {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    let profile = json!({"given_name": "ä".repeat(151), "email": "a".repeat(255)});
    let ana = deployment.bearer(&token(&claims("ana", profile)));
    let user = ana.summary().await.user.expect("the caller");
    assert_eq!(user.first_name, "ä".repeat(150));
    assert_eq!(user.email, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn names_lose_their_control_characters_and_addresses_with_any_are_dropped(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let profile = json!({"given_name": "A\u{0}n\na", "email": "ana\u{0}@example.org"});
    let ana = deployment.bearer(&token(&claims("ana", profile)));
    let user = ana.summary().await.user.expect("the caller");
    assert_eq!((user.first_name.as_str(), user.email.as_str()), ("Ana", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_for_scope_or_form_is_so_whatever_its_token_tells() {
    let deployment = Deployment::with_key(Database::Postgres, SECRET).await;
    let profile = json!({"given_name": "Ana", "scope": "letterbox.act-as"});
    let ana = deployment.bearer(&token(&claims("ana", profile)));
    let admin = deployment.service("letterbox.admin");
    let malformed = ListInboxRequest {
        page_size: -1,
        ..ListInboxRequest::default()
    };
    assert_invalid(ana.list_inbox(malformed.clone()).await, &["page_size"]);
    let known = admin.users(UserFilter::All).await;
    assert_eq!(ids(&known), ["robot"], "and her name is not kept either");

    // Nor does it need the database.
    deployment.server.database().go_down().await;
    assert_invalid(ana.list_inbox(malformed).await, &["page_size"]);
    let listed = ana.list_users(ListUsersRequest::default()).await;
    assert_refused(listed, Code::PermissionDenied, "SCOPE_MISSING");
    deployment.server.database().come_back().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_tells_counts_until_a_token_is_issued_later(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let bearer = |user: &str, name: &str, issued: i64| {
        let profile = json!({"given_name": name, "iat": in_seconds(issued)});
        deployment.bearer(&token(&claims(user, profile)))
    };
    let name = async |client: &Client| client.summary().await.user.expect("them").first_name;
    let admin = deployment.service("letterbox.admin");
    admin.create_users(vec![told("ana Anna")]).await;
    // Issued before the admin spoke, and seen only now, by a call that waits for it.
    let before = bearer("ana", "Ana", -60);
    assert_eq!(name(&before).await, "Anna");
    bearer("ana", "After", 60).summary().await;
    assert_eq!(name(&before).await, "After");

    // A token from a clock ahead of ours does not hold an admin off, and has had its turn.
    let ahead = in_seconds(60);
    let profile = json!({"given_name": "Ben", "iat": ahead});
    let ben = deployment.bearer(&token(&claims("ben", profile.clone())));
    assert_eq!(name(&ben).await, "Ben");
    let updated = admin.update_users(vec![told("ben Bruno")]).await.remove(0);
    let told_at = updated.profile_time.expect("a time").seconds;
    assert_eq!((updated.first_name.as_str(), told_at), ("Bruno", ahead));
    assert_eq!(name(&ben).await, "Bruno");
    // Nor does a server that has not seen it yet take its word again.
    let server = deployment.server.stop().await.start().await;
    let bearer = format!("Bearer {}", token(&claims("ben", profile)));
    let ben = server.anonymous().with("authorization", &bearer);
    assert_eq!(name(&ben).await, "Bruno");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_replaced_in_the_file_is_taken_within_seconds_and_no_call_fails() {
    let deployment = Deployment::with_key(Database::Sqlite, &set(&[jwk("one")])).await;
    let bearer = |key: &str| {
        let claims = claims("ana", json!({}));
        deployment.bearer(&signed(Algorithm::RS256, Some(key), &rsa(key), &claims))
    };
    let (one, two) = (bearer("one"), bearer("two"));
    assert_turned_away(&two, Code::Unauthenticated, "CREDENTIALS_NOT_ACCEPTED").await;

    let accepted = async |client: &Client| {
        let answer = client.get_inbox_summary(GetInboxSummaryRequest {}).await;
        answer.is_ok()
    };
    // Both for a while: nobody's call fails.
    deployment.replace_key(&set(&[jwk("one"), jwk("two")]));
    eventually("the new key", async || {
        assert_eq!(name_of(&one).await, "ana");
        accepted(&two).await.then_some(())
    })
    .await;
    deployment.replace_key(&set(&[jwk("two")]));
    eventually("the end of the old key", async || {
        assert_eq!(name_of(&two).await, "ana");
        (!accepted(&one).await).then_some(())
    })
    .await;
    assert_turned_away(&one, Code::Unauthenticated, "CREDENTIALS_NOT_ACCEPTED").await;
    // What cannot be used changes nothing.
    deployment.replace_key(b"{\"keys\": []}");
    deployment.rereads("failed", 1).await;
    assert_eq!(name_of(&two).await, "ana");
    deployment.rereads("ok", 2).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_callers_token_expires(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let soon = claims("ana", json!({"exp": in_seconds(2)}));
    let mut watch = deployment.bearer(&token(&soon)).watch().await;
    deployment
        .user("ben")
        .start("plans", &["ana"], "Lunch?")
        .await;
    assert_eq!(watch.line().await, "ben sent plans 1: Lunch?");
    let (lines, status) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    let refusal = Refusal::of(&status);
    assert_eq!(refusal.code, Code::Unauthenticated);
    assert_eq!(refusal.reason, "CREDENTIALS_EXPIRED");
    // It is resumed with the next one.
    let mut resumed = deployment.user("ana").resume(&watch.token).await;
    deployment
        .user("ben")
        .start("other", &["ana"], "Hello")
        .await;
    assert_eq!(resumed.line().await, "ben sent other 1: Hello");
}
