//! An import that is run again, for what came meanwhile.

use letterbox::model::{
    Content, Folder, Import, ImportedMessage, ImportedParticipant, ImportedThread, MessageId,
    Subject, ThreadId, Time, UserId,
};
use uuid::Uuid;

use super::service::Service;
use crate::support::prelude::*;

/// What may come of a thread for those who take part in it.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Read,
    Unread,
    Deleted,
}

/// A thread of the source's, by its number.
fn thread(number: u128, people: &[(&str, Part)], messages: &[(&str, &str)]) -> ImportedThread {
    let user = |name: &str| UserId::parse(name).expect("a user's id");
    let participants = people.iter().map(|(name, part)| ImportedParticipant {
        user: user(name),
        unread: *part == Part::Unread,
        deleted: *part == Part::Deleted,
    });
    let messages = messages
        .iter()
        .zip(1_u32..)
        .map(|((sender, content), place)| ImportedMessage {
            id: MessageId(Uuid::from_u128(number << 64 | u128::from(place))),
            sender: user(sender),
            content: Content::parse((*content).to_owned()).expect("some text"),
            send_time: Time(i64::from(place)),
        });
    ImportedThread {
        id: ThreadId(Uuid::from_u128(number)),
        subject: Subject::parse("plans".to_owned()).expect("a subject"),
        update_time: Time(100),
        newest_time: Time(100),
        participants: participants.collect(),
        messages: messages.collect(),
    }
}

fn pieces(threads: Vec<ImportedThread>) -> Import {
    let users = Vec::new();
    Import { users, threads }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_which_nothing_new_is_kept_stays_as_it_is(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let ben = service.user("ben");
    let people = [("ana", Part::Read), ("ben", Part::Deleted)];
    let old = thread(1, &people, &[("ana", "1")]);
    service.import(pieces(vec![old])).await;
    // Someone has written in it who takes no part, and in the source ben has not read it.
    let people = [("ana", Part::Read), ("ben", Part::Unread)];
    let again = thread(1, &people, &[("ana", "1"), ("cleo", "2")]);
    let new = thread(2, &people, &[("ana", "new")]);
    service.import(pieces(vec![again, new])).await;
    assert_eq!(ben.lines_of(Folder::Inbox).await, ["1 ana: new"]);
    assert_eq!(ben.lines_of(Folder::Deleted).await, ["1 ana: 1"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_has_left_the_source_has_what_came_meanwhile_unread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let all = [
        ("ana", Part::Read),
        ("ben", Part::Read),
        ("cleo", Part::Read),
    ];
    service
        .import(pieces(vec![thread(1, &all, &[("ana", "1")])]))
        .await;
    let left = thread(1, &all[..2], &[("ana", "1"), ("ana", "2")]);
    service.import(pieces(vec![left])).await;
    service.assert_sound().await;
}
