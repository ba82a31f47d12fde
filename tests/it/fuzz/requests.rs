//! Requests: the name of a call, and bytes for its message.

use http::{HeaderMap, HeaderValue};
use prost::Message as _;

use super::{
    Target, judged,
    mutation::{self, Chance},
    wire,
};
use crate::{
    access::{lines, request},
    support::{RawClient, named, prelude::*, told},
};

/// A server with a thread in it.
pub(super) struct Requests {
    _server: TestServer,
    client: RawClient,
    seeds: Vec<Vec<u8>>,
}

/// Each call, with the type of its request.
macro_rules! calls {
    ($($service:literal: $($name:ident($request:path)),*;)*) => {
        /// The calls' paths.
        const CALLS: &[&str] = &[$($(concat!($service, "/", stringify!($name))),*),*];

        /// Whether these bytes are a call's message.
        fn is_message(call: &str, bytes: &[u8]) -> bool {
            match call.rsplit('/').next() {
                $($(Some(stringify!($name)) => <$request>::decode(bytes).is_ok(),)*)*
                _ => true,
            }
        }
    };
}

calls! {
    "letterbox.v1.MessagingService":
    ListInbox(ListInboxRequest),
    GetInboxSummary(GetInboxSummaryRequest),
    GetThread(GetThreadRequest),
    SendMessage(SendMessageRequest),
    ReplyThread(ReplyThreadRequest),
    EditMessage(EditMessageRequest),
    MarkThreadRead(MarkThreadReadRequest),
    MarkThreadUnread(pb::MarkThreadUnreadRequest),
    DeleteThread(pb::DeleteThreadRequest),
    RestoreThread(pb::RestoreThreadRequest),
    WatchMessages(WatchMessagesRequest);
    "letterbox.admin.v1.AdminService":
    BatchCreateUsers(pb::admin::BatchCreateUsersRequest),
    BatchUpdateUsers(pb::admin::BatchUpdateUsersRequest),
    BatchDeactivateUsers(pb::admin::BatchDeactivateUsersRequest),
    BatchReactivateUsers(pb::admin::BatchReactivateUsersRequest),
    ListUsers(pb::admin::ListUsersRequest),
    ListTenants(pb::admin::ListTenantsRequest);
}

impl Target for Requests {
    const NAME: &'static str = "requests";

    const WORDS: &'static [&'static str] = &[
        "ana",
        "letterbox:",
        "\0",
        "\u{feff}",
        "\u{202e}",
        "\u{3000}",
        "\\u0000",
        "'\";--",
        "é",
        "🎈",
        "\x7f",
        "\r\n\t",
        "0190a3c4-7b1e-7000-8000-00000000abcd",
        "0190A3C4-7B1E-7000-8000-00000000ABCD",
        "{}[]",
        "\u{85}",
    ];

    async fn start(database: Database) -> Self {
        let server = TestServer::start(database).await;
        let ana = server.client("ana");
        let plans = ana.start("plans", &["ben"], "Lunch?").await;
        server.client("ben").reply(&plans.thread, "Yes").await;
        ana.start("other", &["ben", "cleo"], "Hello").await;
        ana.start("note", &["ana"], "Milk").await;
        Self {
            client: RawClient::connect(&server).await,
            seeds: seeds(&ana, plans).await,
            _server: server,
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.seeds.clone()
    }

    fn mutate(chance: &mut Chance, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        let (call, mut message) = parts(input);
        let call = if chance.once_in(10) {
            *chance.of(CALLS)
        } else {
            call
        };
        let by_field = !chance.once_in(4);
        if !(by_field && wire::mutate(chance, &mut message, others, Self::WORDS)) {
            mutation::mutate(chance, &mut message, others, Self::WORDS);
        }
        *input = joined(call, &message);
    }

    async fn attempt(&self, input: &[u8]) -> Result<String, String> {
        let (call, message) = parts(input);
        let mut headers = HeaderMap::new();
        headers.insert("x-user-id", HeaderValue::from_static("ana"));
        let scopes = HeaderValue::from_static("letterbox.watch-all letterbox.admin");
        headers.insert("x-user-scopes", scopes);
        if call.ends_with("/WatchMessages") {
            // Else it would never end.
            headers.insert("grpc-timeout", HeaderValue::from_static("10m"));
        }
        let answer = self.client.call(call, headers, &message).await;
        if answer.status.code() == Code::Internal && answer.status.details().is_empty() {
            // What is no message has no details, and is never answered otherwise.
            return if is_message(call, &message) {
                Err(format!("{:?}", answer.status))
            } else {
                Ok(format!("{call} no message"))
            };
        }
        if answer.body.len() > 4 << 20 {
            return Err(format!("an answer of {} bytes", answer.body.len()));
        }
        Ok(format!("{call} {}", judged(&answer.status)?))
    }
}

/// The call's name up to the first line's end, then the message's bytes.
fn parts(input: &[u8]) -> (&'static str, Vec<u8>) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let named = CALLS.iter().find(|call| call.as_bytes() == &input[..end]);
    let call = named.unwrap_or(&CALLS[0]);
    (call, input.get(end + 1..).unwrap_or_default().to_vec())
}

fn joined(call: &str, message: &[u8]) -> Vec<u8> {
    let mut input = format!("{call}\n").into_bytes();
    input.extend(message);
    input
}

/// Requests that this server answers well: one of each kind, and some with more in them.
async fn seeds(ana: &Client, plans: Sent) -> Vec<Vec<u8>> {
    let (thread_id, message_id) = (&plans.thread, &plans.message.id);
    let page = ListInboxRequest {
        page_size: 1,
        folder: Folder::All.into(),
        ..Default::default()
    };
    let page = ana.list_inbox(page).await.expect("a page");
    let messages = GetThreadRequest {
        thread_id: thread_id.clone(),
        page_size: 1,
        exclude_sender_id: "cleo".into(),
        mark_read: true,
        ..Default::default()
    };
    let more = ana.get_thread(messages.clone()).await.expect("a page");
    let everything = [
        (
            "ListInbox",
            ListInboxRequest {
                page_token: page.next_page_token,
                page_size: 2,
                folder: Folder::All.into(),
                skip: 0,
            }
            .encode_to_vec(),
        ),
        (
            "GetThread",
            GetThreadRequest {
                page_token: more.next_page_token,
                ..messages
            }
            .encode_to_vec(),
        ),
        (
            "SendMessage",
            SendMessageRequest {
                recipient_ids: vec!["ben".into(), "cleo".into()],
                subject: "plans".into(),
                content: "Lunch?".into(),
                request_id: request_id(),
            }
            .encode_to_vec(),
        ),
        (
            "ReplyThread",
            ReplyThreadRequest {
                thread_id: thread_id.clone(),
                content: "Yes".into(),
                subject: Some("Lunch".into()),
                request_id: request_id(),
            }
            .encode_to_vec(),
        ),
        (
            "WatchMessages",
            WatchMessagesRequest {
                resume_token: page.resume_token,
                thread_id: thread_id.clone(),
                kinds: vec![1, 2, 3],
                scope: WatchScope::AllUsers.into(),
            }
            .encode_to_vec(),
        ),
        (
            "BatchCreateUsers",
            pb::admin::BatchCreateUsersRequest {
                users: vec![told("ben Ben Baker ben@example.org"), named("dan")],
            }
            .encode_to_vec(),
        ),
    ];
    let one_of_each = lines();
    let one_of_each = one_of_each.iter().map(|line| {
        let name = line.split('/').next().unwrap_or_default();
        (name, request(line, thread_id, message_id))
    });
    let all = one_of_each.chain(everything);
    all.map(|(name, message)| joined(path(name), &message))
        .collect()
}

/// The path of a call.
fn path(name: &str) -> &'static str {
    let path = CALLS
        .iter()
        .find(|path| path.ends_with(&format!("/{name}")));
    path.expect("a call of this name")
}
