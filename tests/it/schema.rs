//! The protos as clients see them, by reflection, and the service configs that go with them.

use std::collections::BTreeMap;

use prost_types::{FileDescriptorProto, MethodDescriptorProto, field_descriptor_proto::Label};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::support::{described, prelude::*};

/// The fields of each message, as the contract numbers them.
const MESSAGES: &str = "
User: 1 string id, 2 string first_name, 3 string last_name, 4 string email
Message: 1 string id, 2 string thread_id, 3 int32 number, 4 User sender, 5 string content, \
6 Timestamp send_time, 7 Timestamp edit_time, 8 int32 revision
Thread: 1 string id, 2 string subject, 3 Timestamp create_time, 4 Timestamp update_time, \
5 repeated User participants, 6 int32 message_count
ThreadView: 1 Thread thread, 2 Placement placement, 3 bool unread, 4 int32 unread_count, \
5 Timestamp first_message_time, 6 Timestamp last_message_time, 7 User last_sender, \
8 string snippet, 9 bool started_by_viewer, 10 int32 read_number
ListInboxRequest: 1 int32 page_size, 2 string page_token, 3 Folder folder, 4 int32 skip
ListInboxResponse: 1 repeated ThreadView threads, 2 string next_page_token, \
3 string previous_page_token, 4 int32 total_size, 5 string resume_token
GetInboxSummaryRequest:
GetInboxSummaryResponse: 1 int32 inbox_thread_count, 2 int32 unread_thread_count, \
3 int32 deleted_thread_count, 4 int32 unread_message_count, 5 User user, 6 string resume_token
GetThreadRequest: 1 string thread_id, 2 int32 page_size, 3 string page_token, \
4 MessageOrder order, 5 string exclude_sender_id, 6 bool mark_read, 7 int32 start_number
GetThreadResponse: 1 ThreadView view, 2 repeated Message messages, 3 string next_page_token, \
4 string previous_page_token, 5 string resume_token
SendMessageRequest: 1 repeated string recipient_ids, 2 string subject, 3 string content, \
4 string request_id
SendMessageResponse: 1 Message message, 2 ThreadView view
ReplyThreadRequest: 1 string thread_id, 2 string content, 3 optional string subject, \
4 string request_id
ReplyThreadResponse: 1 Message message, 2 ThreadView view
EditMessageRequest: 1 string message_id, 2 string content, 3 optional int32 expected_revision
EditMessageResponse: 1 Message message
MarkThreadReadRequest: 1 string thread_id, 2 optional int32 up_to_number
MarkThreadReadResponse: 1 ThreadView view
MarkThreadUnreadRequest: 1 string thread_id
MarkThreadUnreadResponse: 1 ThreadView view
DeleteThreadRequest: 1 string thread_id
DeleteThreadResponse: 1 ThreadView view
RestoreThreadRequest: 1 string thread_id
RestoreThreadResponse: 1 ThreadView view
WatchMessagesRequest: 1 string resume_token, 2 string thread_id, 3 repeated EventKind kinds, \
4 WatchScope scope
WatchMessagesResponse: 1 string resume_token, 2 WatchReady ready, 3 MessageSent message_sent, \
4 MessageEdited message_edited, 5 ThreadChanged thread_changed, 6 Heartbeat heartbeat
WatchReady: 1 Duration heartbeat_interval
Heartbeat:
MessageSent: 1 Message message, 2 Thread thread, 3 bool reply, 4 repeated string recipient_ids, \
5 string request_id
MessageEdited: 1 Message message, 2 Thread thread
ThreadChanged: 1 ThreadView view, 2 string user_id
";

/// The values of each enum, as the contract numbers them.
const ENUMS: &str = "
Folder: 0 FOLDER_UNSPECIFIED, 1 FOLDER_INBOX, 2 FOLDER_UNREAD, 3 FOLDER_SENT, 4 FOLDER_DELETED, \
5 FOLDER_ALL
Placement: 0 PLACEMENT_UNSPECIFIED, 1 PLACEMENT_INBOX, 2 PLACEMENT_STARTED, 3 PLACEMENT_DELETED
MessageOrder: 0 MESSAGE_ORDER_UNSPECIFIED, 1 MESSAGE_ORDER_OLDEST_FIRST, \
2 MESSAGE_ORDER_NEWEST_FIRST
EventKind: 0 EVENT_KIND_UNSPECIFIED, 1 EVENT_KIND_MESSAGE_SENT, 2 EVENT_KIND_MESSAGE_EDITED, \
3 EVENT_KIND_THREAD_CHANGED
WatchScope: 0 WATCH_SCOPE_UNSPECIFIED, 1 WATCH_SCOPE_OWN, 2 WATCH_SCOPE_ALL_USERS
";

/// The calls, as the contract lists them.
const CALLS: &str = "
ListInbox: ListInboxRequest -> ListInboxResponse
GetInboxSummary: GetInboxSummaryRequest -> GetInboxSummaryResponse
GetThread: GetThreadRequest -> GetThreadResponse
SendMessage: SendMessageRequest -> SendMessageResponse
ReplyThread: ReplyThreadRequest -> ReplyThreadResponse
EditMessage: EditMessageRequest -> EditMessageResponse
MarkThreadRead: MarkThreadReadRequest -> MarkThreadReadResponse
MarkThreadUnread: MarkThreadUnreadRequest -> MarkThreadUnreadResponse
DeleteThread: DeleteThreadRequest -> DeleteThreadResponse
RestoreThread: RestoreThreadRequest -> RestoreThreadResponse
WatchMessages: WatchMessagesRequest -> stream WatchMessagesResponse
";

/// The files of the public package, as a client gets them.
async fn files(server: &TestServer) -> Vec<FileDescriptorProto> {
    let names = ["message", "watch", "messaging_service"];
    let questions =
        names.map(|name| MessageRequest::FileByFilename(format!("letterbox/v1/{name}.proto")));
    let files = described(server, questions.into()).await.into_iter();
    let by_name: BTreeMap<String, FileDescriptorProto> = files
        .filter(|file| file.package() == "letterbox.v1")
        .map(|file| (file.name().to_owned(), file))
        .collect();
    by_name.into_values().collect()
}

/// `.letterbox.v1.User` and `.google.protobuf.Timestamp` without what comes before the last dot.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// A list of `name: text` lines by name.
fn by_name(lines: &str) -> BTreeMap<String, String> {
    let lines = lines
        .trim()
        .lines()
        .map(|line| line.split_once(':').expect("a name"));
    lines
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_the_fields_that_the_contract_numbers() {
    let server = TestServer::start(Database::Sqlite).await;
    let mut messages = BTreeMap::new();
    for message in files(&server)
        .await
        .iter()
        .flat_map(|file| &file.message_type)
    {
        let fields = message.field.iter().map(|field| {
            let kind = match field.type_name() {
                "" => field
                    .r#type()
                    .as_str_name()
                    .trim_start_matches("TYPE_")
                    .to_lowercase(),
                name => short(name).to_owned(),
            };
            let label = match field.label() {
                Label::Repeated => "repeated ",
                _ if field.proto3_optional() => "optional ",
                _ => "",
            };
            format!("{} {label}{kind} {}", field.number(), field.name())
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        messages.insert(message.name().to_owned(), fields);
    }
    assert_eq!(messages, by_name(MESSAGES));
}

#[tokio::test(flavor = "multi_thread")]
async fn enums_have_the_values_that_the_contract_numbers() {
    let server = TestServer::start(Database::Sqlite).await;
    let mut enums = BTreeMap::new();
    for kind in files(&server).await.iter().flat_map(|file| &file.enum_type) {
        let values = kind.value.iter();
        let values = values.map(|value| format!("{} {}", value.number(), value.name()));
        let values = values.collect::<Vec<_>>().join(", ");
        enums.insert(kind.name().to_owned(), values);
    }
    assert_eq!(enums, by_name(ENUMS));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_has_the_calls_that_the_contract_lists() {
    let server = TestServer::start(Database::Sqlite).await;
    let mut calls = BTreeMap::new();
    for service in files(&server).await.iter().flat_map(|file| &file.service) {
        assert_eq!(service.name(), "MessagingService");
        for call in &service.method {
            assert!(!call.client_streaming());
            let stream = if call.server_streaming() {
                "stream "
            } else {
                ""
            };
            let (input, output) = (short(call.input_type()), short(call.output_type()));
            calls.insert(
                call.name().to_owned(),
                format!("{input} -> {stream}{output}"),
            );
        }
    }
    assert_eq!(calls, by_name(CALLS));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_has_the_options_of_the_contract_and_keeps_its_comments() {
    let server = TestServer::start(Database::Sqlite).await;
    let files = files(&server).await;
    assert_eq!(files.len(), 3);
    for file in files {
        let options = file.options.as_ref().expect("options");
        assert_eq!(options.go_package(), "letterbox/v1;letterboxv1");
        assert!(options.java_multiple_files());
        assert_eq!(file.syntax(), "proto3");
        let source = file.source_code_info.expect("comments");
        assert!(
            source
                .location
                .iter()
                .any(|place| !place.leading_comments().is_empty())
        );
        for message in file.message_type {
            assert!(message.reserved_range.is_empty() && message.reserved_name.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_has_a_package_of_its_own_that_names_nothing_of_the_other() {
    let server = TestServer::start(Database::Sqlite).await;
    let name = "letterbox/admin/v1/admin.proto".to_owned();
    let files = described(&server, vec![MessageRequest::FileByFilename(name)]).await;
    let file = files
        .iter()
        .find(|file| file.package() == "letterbox.admin.v1");
    let file = file.expect("the file");
    let options = file.options.as_ref().expect("options");
    assert_eq!(options.go_package(), "letterbox/admin/v1;adminv1");
    assert!(options.java_multiple_files());
    assert_eq!(file.dependency, ["google/protobuf/timestamp.proto"]);
    let calls = &file.service[0].method;
    assert_eq!(
        calls
            .iter()
            .map(MethodDescriptorProto::name)
            .collect::<Vec<_>>(),
        [
            "BatchCreateUsers",
            "BatchUpdateUsers",
            "BatchDeactivateUsers",
            "BatchReactivateUsers",
            "ListUsers",
            "ListTenants",
        ],
    );
}

#[rstest]
#[case::reads("reads", &["GetInboxSummary", "GetThread", "ListInbox"])]
#[case::reads_and_writes(
    "reads_and_writes",
    &["GetInboxSummary", "GetThread", "ListInbox", "ReplyThread", "SendMessage"]
)]
fn a_service_config_retries_what_is_safe_to_retry(#[case] name: &str, #[case] calls: &[&str]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/service_config");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut retried = Vec::new();
    for method in config["methodConfig"].as_array().expect("a list") {
        let policy = &method["retryPolicy"];
        assert_eq!(
            policy["retryableStatusCodes"],
            serde_json::json!(["UNAVAILABLE"])
        );
        let attempts = policy["maxAttempts"].as_u64().expect("a number");
        assert!((2..=4).contains(&attempts), "{attempts}");
        for name in method["name"].as_array().expect("a list") {
            assert_eq!(name["service"], "letterbox.v1.MessagingService");
            retried.push(name["method"].as_str().expect("a call").to_owned());
        }
    }
    retried.sort_unstable();
    assert_eq!(retried, calls);
}
