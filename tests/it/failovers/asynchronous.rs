//! A failover that loses commits, and a backup that takes the place of what was.

use super::{Cluster, Setting, cluster::Following, insist, user};
use crate::support::prelude::*;

/// What is left is all that the standby had: watchers of the rest are told, and whoever had seen
/// no more than that goes on as if nothing had been.
#[rstest]
#[case::failover(Following::Asynchronous, true)]
#[case::backup(Following::Backup, false)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failover_has_lost_is_told_and_nothing_is_skipped_or_repeated(
    #[case] following: Following,
    #[case] positions_are_taken_again: bool,
) {
    let mut setting = Setting::on(Cluster::start(following).await).await;
    let server = setting.deployment.serve(&[]).await;
    let (ana, ben) = (user(&server, "ana"), user(&server, "ben"));
    let plans = ana.start("plans", &["ben"], "kept").await.thread;
    let mut early = ben.watch().await;
    ana.reply(&plans, "kept too").await;
    assert_eq!(early.line().await, "ana replied in plans 2: kept too");
    drop(early.line());
    let kept = early.token.clone();
    if following == Following::Backup {
        setting.cluster.back_up().await;
    } else {
        setting.cluster.caught_up().await;
        setting.cluster.part().await;
    }

    let mut live = ben.watch().await;
    let lost = ReplyThreadRequest {
        thread_id: plans.clone(),
        content: "lost".into(),
        subject: None,
        request_id: request_id(),
    };
    ana.reply_thread(lost.clone()).await.unwrap();
    let mut first_lost = ben.watch_with(resuming(&kept)).await;
    assert_eq!(first_lost.line().await, "ana replied in plans 3: lost");
    ana.reply(&plans, "lost too").await;
    assert_eq!(live.lines(2).await.len(), 2);
    let listed = ben.list(Folder::Inbox).await.resume_token;
    drop(early);

    setting.fail_over().await;
    if positions_are_taken_again {
        for content in ["new 3", "new 4", "new 5"] {
            let reply = ReplyThreadRequest {
                content: content.into(),
                request_id: request_id(),
                ..lost.clone()
            };
            insist(|| ana.reply_thread(reply.clone())).await.unwrap();
        }
    }
    // The live watch has seen what is gone; nothing of another history may follow it.
    loop {
        let (lines, status) = live.end().await;
        assert_eq!(lines, [""; 0]);
        if status.code() != Code::Unavailable {
            assert_expired(&status);
            break;
        }
        match insist(|| ben.try_watch(resuming(&live.token))).await {
            Ok(resumed) => live = resumed,
            Err(status) => {
                assert_expired(&status);
                break;
            }
        }
    }
    for token in [&live.token, &first_lost.token, &listed] {
        let refused = insist(|| ben.try_watch(resuming(token))).await;
        assert_expired(&refused.err().expect("the token has expired"));
    }

    let mut goes_on = insist(|| ben.try_watch(resuming(&kept))).await.unwrap();
    // What was lost was never sent, so its request id is free.
    let retried = insist(|| ana.reply_thread(lost.clone())).await.unwrap();
    let mut expected = vec!["1 ana: kept".to_owned(), "2 ana: kept too".to_owned()];
    if positions_are_taken_again {
        expected.extend((3..6).map(|number| format!("{number} ana: new {number}")));
    }
    expected.push(format!("{} ana: lost", expected.len() + 1));
    assert_eq!(retried.message.unwrap().line(), *expected.last().unwrap());
    assert_eq!(ben.lines(&plans).await, expected);
    for line in &expected[2..] {
        assert_eq!(
            goes_on.line().await,
            format!("ana replied in plans {}", &line.replace(" ana:", ":"))
        );
    }
    server.stop().await;
    setting.deployment.check().await;
}

fn resuming(token: &str) -> WatchMessagesRequest {
    WatchMessagesRequest {
        resume_token: token.to_owned(),
        ..Default::default()
    }
}

#[track_caller]
fn assert_expired(status: &tonic::Status) {
    let refusal = Refusal::of(status);
    let said = (refusal.code, refusal.reason.as_str());
    assert_eq!(said, (Code::OutOfRange, "RESUME_TOKEN_EXPIRED"));
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
}
