//! From the model's words to the API's, and back.

use letterbox::pb::{
    self, DeleteThreadRequest, EditMessageRequest, GetInboxSummaryRequest, MarkThreadReadRequest,
    MarkThreadUnreadRequest, ReplyThreadRequest, RestoreThreadRequest, SendMessageRequest,
    watch_messages_response::Event,
};
use prost_types::Timestamp;
use tonic::Status;
use uuid::Uuid;

use crate::{
    reference::{
        Action, Answer, Delivery, Folder, Kind, MessageSeen, Names, Order, Placement, Refusal,
        ThreadSeen, View,
    },
    support::{self, Client, Sent},
};

/// What the service has answered, in its own words.
#[expect(clippy::large_enum_variant, reason = "there are never many")]
pub(crate) enum Reply {
    Met,
    Sent(Sent),
    Edited(Option<pb::Message>),
    Viewed(Option<pb::ThreadView>),
}

/// Asks the service for what the model is asked for.
pub(crate) async fn call(client: &Client, names: &Names, action: &Action) -> Result<Reply, Status> {
    match action.clone() {
        Action::Meet => client
            .get_inbox_summary(GetInboxSummaryRequest {})
            .await
            .map(|_| Reply::Met),
        Action::Send {
            recipients,
            subject,
            content,
            request,
        } => {
            let request = SendMessageRequest {
                recipient_ids: recipients,
                subject,
                content,
                request_id: request.map(request_id).unwrap_or_default(),
            };
            let sent = client.send_message(request).await;
            sent.map(|sent| Reply::Sent(sent.into()))
        }
        Action::Reply {
            thread,
            content,
            subject,
            request,
        } => {
            let request = ReplyThreadRequest {
                thread_id: thread_id(names, thread),
                content,
                subject,
                request_id: request.map(request_id).unwrap_or_default(),
            };
            let sent = client.reply_thread(request).await;
            sent.map(|sent| Reply::Sent(sent.into()))
        }
        Action::Edit {
            message,
            content,
            expected_revision,
        } => {
            let request = EditMessageRequest {
                message_id: names.message_id(message).to_string(),
                content,
                expected_revision,
            };
            let edited = client.edit_message(request).await;
            edited.map(|edited| Reply::Edited(edited.message))
        }
        Action::MarkRead {
            thread,
            up_to_number,
        } => {
            let request = MarkThreadReadRequest {
                thread_id: thread_id(names, thread),
                up_to_number,
            };
            let marked = client.mark_thread_read(request).await;
            marked.map(|marked| Reply::Viewed(marked.view))
        }
        Action::MarkUnread(thread) => {
            let thread_id = thread_id(names, thread);
            let request = MarkThreadUnreadRequest { thread_id };
            let marked = client.mark_thread_unread(request).await;
            marked.map(|marked| Reply::Viewed(marked.view))
        }
        Action::Delete(thread) => {
            let thread_id = thread_id(names, thread);
            let request = DeleteThreadRequest { thread_id };
            let deleted = client.delete_thread(request).await;
            deleted.map(|deleted| Reply::Viewed(deleted.view))
        }
        Action::Restore(thread) => {
            let thread_id = thread_id(names, thread);
            let request = RestoreThreadRequest { thread_id };
            let restored = client.restore_thread(request).await;
            restored.map(|restored| Reply::Viewed(restored.view))
        }
    }
}

/// What the service has answered, in the model's words.
pub(crate) fn answer(names: &Names, reply: Result<Reply, Status>) -> Result<Answer, Refusal> {
    match reply {
        Ok(Reply::Met) => Ok(Answer::Met),
        Ok(Reply::Sent(sent)) => Ok(Answer::Sent(
            message_seen(names, Some(sent.message)),
            view(names, Some(sent.view)),
        )),
        Ok(Reply::Edited(message)) => Ok(Answer::Edited(message_seen(names, message))),
        Ok(Reply::Viewed(seen)) => Ok(Answer::Viewed(view(names, seen))),
        Err(status) => Err(refusal(&status)),
    }
}

/// A thread's id; those of every other thread in capitals, which are read as well.
pub(crate) fn thread_id(names: &Names, thread: usize) -> String {
    let id = names.thread_id(thread).to_string();
    if thread.is_multiple_of(2) {
        id
    } else {
        id.to_uppercase()
    }
}

fn request_id(number: u32) -> String {
    Uuid::from_u128(number.into()).to_string()
}

pub(crate) fn refusal(status: &Status) -> Refusal {
    let said = support::Refusal::of(status);
    let metadata = |key: &str| said.metadata.get(key).cloned().unwrap_or_default();
    match said.reason.as_str() {
        "INVALID_REQUEST" => Refusal::InvalidRequest,
        "THREAD_NOT_FOUND" => Refusal::ThreadNotFound,
        "MESSAGE_NOT_FOUND" => Refusal::MessageNotFound,
        "RECIPIENT_NOT_FOUND" => {
            let unknown = metadata("recipientIds");
            Refusal::RecipientsNotFound(unknown.split(' ').map(str::to_owned).collect())
        }
        "NOT_THE_SENDER" => Refusal::NotTheSender,
        "REVISION_STALE" => Refusal::RevisionStale {
            current: metadata("currentRevision").parse().expect("a number"),
        },
        "REQUEST_ID_REUSED" => Refusal::RequestIdReused,
        _ => panic!("a refusal that the model does not know: {status:?}"),
    }
}

pub(crate) fn folder(folder: Folder) -> pb::Folder {
    match folder {
        Folder::Inbox => pb::Folder::Inbox,
        Folder::Unread => pb::Folder::Unread,
        Folder::Sent => pb::Folder::Sent,
        Folder::Deleted => pb::Folder::Deleted,
        Folder::All => pb::Folder::All,
    }
}

pub(crate) fn order(order: Order) -> pb::MessageOrder {
    match order {
        Order::OldestFirst => pb::MessageOrder::OldestFirst,
        Order::NewestFirst => pb::MessageOrder::NewestFirst,
    }
}

pub(crate) fn kind(kind: Kind) -> pb::EventKind {
    match kind {
        Kind::Sent => pb::EventKind::MessageSent,
        Kind::Edited => pb::EventKind::MessageEdited,
        Kind::Changed => pb::EventKind::ThreadChanged,
    }
}

pub(crate) fn message_seen(names: &Names, message: Option<pb::Message>) -> MessageSeen {
    let message = message.expect("a message");
    MessageSeen {
        name: names.message(id(&message.id), id(&message.thread_id), message.number),
        sender: user(message.sender),
        content: message.content,
        send_time: time(message.send_time).expect("a send time"),
        edit_time: time(message.edit_time),
        revision: message.revision,
    }
}

fn thread_seen(names: &Names, thread: Option<pb::Thread>) -> ThreadSeen {
    let thread = thread.expect("a thread");
    ThreadSeen {
        name: names.thread(id(&thread.id)),
        subject: thread.subject,
        create_time: time(thread.create_time).expect("a create time"),
        update_time: time(thread.update_time).expect("an update time"),
        participants: thread
            .participants
            .into_iter()
            .map(|participant| user(Some(participant)))
            .collect(),
        message_count: thread.message_count,
    }
}

pub(crate) fn view(names: &Names, view: Option<pb::ThreadView>) -> View {
    let view = view.expect("a view");
    View {
        placement: match view.placement() {
            pb::Placement::Inbox => Placement::Inbox,
            pb::Placement::Started => Placement::Started,
            pb::Placement::Deleted => Placement::Deleted,
            pb::Placement::Unspecified => panic!("a view without a placement: {view:?}"),
        },
        thread: thread_seen(names, view.thread),
        unread: view.unread,
        unread_count: view.unread_count,
        read_number: view.read_number,
        first_message_time: time(view.first_message_time).expect("a time"),
        last_message_time: time(view.last_message_time).expect("a time"),
        last_sender: user(view.last_sender),
        snippet: view.snippet,
        started_by_viewer: view.started_by_viewer,
    }
}

/// Whose doing an event was.
pub(crate) fn actor(event: &Event) -> String {
    match event {
        Event::MessageSent(pb::MessageSent { message, .. })
        | Event::MessageEdited(pb::MessageEdited { message, .. }) => {
            let message = message.as_ref().expect("a message");
            user(message.sender.clone())
        }
        Event::ThreadChanged(changed) => changed.user_id.clone(),
        other => panic!("no event: {other:?}"),
    }
}

pub(crate) fn delivery(names: &Names, event: Event) -> Delivery {
    match event {
        Event::MessageSent(sent) => Delivery::Sent {
            message: message_seen(names, sent.message),
            thread: thread_seen(names, sent.thread),
            reply: sent.reply,
            recipients: sent.recipient_ids,
            request: (!sent.request_id.is_empty()).then(|| {
                let number = id(&sent.request_id).as_u128();
                u32::try_from(number).expect("a request id of this test")
            }),
        },
        Event::MessageEdited(edited) => Delivery::Edited {
            message: message_seen(names, edited.message),
            thread: thread_seen(names, edited.thread),
        },
        Event::ThreadChanged(changed) => Delivery::Changed {
            view: view(names, changed.view),
            user: changed.user_id,
        },
        other => panic!("no event: {other:?}"),
    }
}

/// An id as it has to be written: 36 characters, in lower case.
fn id(text: &str) -> Uuid {
    let id = Uuid::parse_str(text).expect("an id is a UUID");
    assert_eq!(id.hyphenated().to_string(), text);
    id
}

/// A user, of whom nothing but the id is known.
pub(crate) fn user(user: Option<pb::User>) -> String {
    let user = user.expect("a user");
    let nameless = pb::User {
        id: user.id.clone(),
        ..pb::User::default()
    };
    assert_eq!(user, nameless);
    user.id
}

/// A time in microseconds, which have to be whole.
pub(crate) fn time(timestamp: Option<Timestamp>) -> Option<i64> {
    timestamp.map(|timestamp| {
        assert_eq!(timestamp.nanos % 1_000, 0, "{timestamp:?}");
        timestamp.seconds * 1_000_000 + i64::from(timestamp.nanos / 1_000)
    })
}
