//! What makes a request that writes malformed: every rule, and all violations at once.

use crate::support::prelude::*;

fn send() -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: String::new(),
    }
}

fn reply() -> ReplyThreadRequest {
    ReplyThreadRequest {
        thread_id: unused_id(),
        content: "Yes".into(),
        subject: None,
        request_id: String::new(),
    }
}

fn edit() -> EditMessageRequest {
    EditMessageRequest {
        message_id: unused_id(),
        content: "Dinner?".into(),
        expected_revision: None,
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user-{n}")).collect()
}

#[rstest]
#[case::nothing(SendMessageRequest::default(), &["recipient_ids", "subject", "content"])]
#[case::no_recipient(
    SendMessageRequest { recipient_ids: vec![], ..send() },
    &["recipient_ids"]
)]
#[case::an_empty_recipient(
    SendMessageRequest { recipient_ids: vec![String::new()], ..send() },
    &["recipient_ids"]
)]
#[case::a_malformed_recipient(
    SendMessageRequest { recipient_ids: vec!["ben".into(), "a b".into()], ..send() },
    &["recipient_ids"]
)]
#[case::malformed_recipients(
    SendMessageRequest {
        recipient_ids: vec!["x".repeat(129), "ben".into(), "añ".into(), "letterbox:bot".into()],
        ..send()
    },
    &["recipient_ids", "recipient_ids", "recipient_ids"]
)]
#[case::more_than_100_recipients(
    SendMessageRequest { recipient_ids: ids(101), ..send() },
    &["recipient_ids"]
)]
#[case::more_than_100_recipients_one_of_them_malformed(
    SendMessageRequest { recipient_ids: [ids(100), vec!["a b".into()]].concat(), ..send() },
    &["recipient_ids", "recipient_ids"]
)]
#[case::an_empty_subject(
    SendMessageRequest { subject: String::new(), ..send() },
    &["subject"]
)]
#[case::a_blank_subject(
    SendMessageRequest { subject: " \u{2003}\u{3000}".into(), ..send() },
    &["subject"]
)]
#[case::a_subject_of_151_characters(
    SendMessageRequest { subject: "é".repeat(151), ..send() },
    &["subject"]
)]
#[case::a_line_break_in_the_subject(
    SendMessageRequest { subject: "a\nb".into(), ..send() },
    &["subject"]
)]
#[case::a_tab_in_the_subject(SendMessageRequest { subject: "a\tb".into(), ..send() }, &["subject"])]
#[case::a_nul_in_the_subject(SendMessageRequest { subject: "a\0b".into(), ..send() }, &["subject"])]
#[case::a_delete_in_the_subject(
    SendMessageRequest { subject: "a\u{7f}b".into(), ..send() },
    &["subject"]
)]
#[case::a_c1_control_in_the_subject(
    SendMessageRequest { subject: "a\u{85}b".into(), ..send() },
    &["subject"]
)]
#[case::two_rules_of_one_field(
    SendMessageRequest { subject: "a\n".repeat(76), ..send() },
    &["subject", "subject"]
)]
#[case::an_empty_content(SendMessageRequest { content: String::new(), ..send() }, &["content"])]
#[case::a_blank_content(
    SendMessageRequest { content: " \r\n\t\u{a0}".into(), ..send() },
    &["content"]
)]
#[case::a_content_of_65537_bytes(
    SendMessageRequest { content: "x".repeat(65_537), ..send() },
    &["content"]
)]
#[case::a_content_of_more_bytes_than_characters(
    SendMessageRequest { content: "é".repeat(32_769), ..send() },
    &["content"]
)]
#[case::a_nul_in_the_content(SendMessageRequest { content: "a\0b".into(), ..send() }, &["content"])]
#[case::a_content_too_long_with_nul(
    SendMessageRequest { content: "\0".repeat(65_537), ..send() },
    &["content", "content"]
)]
#[case::a_malformed_request_id(
    SendMessageRequest { request_id: "1".into(), ..send() },
    &["request_id"]
)]
#[case::a_request_id_without_hyphens(
    SendMessageRequest { request_id: "0190a3c47b1e7000800000000000abcd".into(), ..send() },
    &["request_id"]
)]
#[case::a_request_id_in_braces(
    SendMessageRequest { request_id: format!("{{{}}}", unused_id()), ..send() },
    &["request_id"]
)]
#[case::everything(
    SendMessageRequest {
        recipient_ids: vec!["a b".into(), "ben".into(), String::new()],
        subject: "\n".into(),
        content: "x".repeat(65_537),
        request_id: "x".into(),
    },
    &["recipient_ids", "recipient_ids", "subject", "subject", "content", "request_id"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_message_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: SendMessageRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    assert_invalid(ana.send_message(request).await, fields);
    assert_eq!(ana.list(Folder::All).await.total_size, 0);
}

#[rstest]
#[case::nothing(ReplyThreadRequest::default(), &["thread_id", "content"])]
#[case::a_malformed_thread_id(
    ReplyThreadRequest { thread_id: "1".into(), ..reply() },
    &["thread_id"]
)]
#[case::a_blank_content(ReplyThreadRequest { content: " ".into(), ..reply() }, &["content"])]
#[case::a_present_but_empty_subject(
    ReplyThreadRequest { subject: Some(String::new()), ..reply() },
    &["subject"]
)]
#[case::everything(
    ReplyThreadRequest {
        thread_id: "x".into(),
        content: "\0".into(),
        subject: Some("\n".repeat(151)),
        request_id: "x".into(),
    },
    &["thread_id", "content", "subject", "subject", "subject", "request_id"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_reply_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: ReplyThreadRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    // The thread is not there either: the form is looked at first.
    assert_invalid(server.client("ana").reply_thread(request).await, fields);
}

#[rstest]
#[case::nothing(EditMessageRequest::default(), &["message_id", "content"])]
#[case::a_malformed_message_id(
    EditMessageRequest { message_id: format!("urn:uuid:{}", unused_id()), ..edit() },
    &["message_id"]
)]
#[case::a_blank_content(EditMessageRequest { content: "\n".into(), ..edit() }, &["content"])]
#[case::a_content_too_long(
    EditMessageRequest { content: "x".repeat(65_537), ..edit() },
    &["content"]
)]
#[case::a_negative_revision(
    EditMessageRequest { expected_revision: Some(-1), ..edit() },
    &["expected_revision"]
)]
#[case::everything(
    EditMessageRequest {
        message_id: "x".into(),
        content: String::new(),
        expected_revision: Some(i32::MIN),
    },
    &["message_id", "content", "expected_revision"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_edit_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: EditMessageRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    assert_invalid(server.client("ana").edit_message(request).await, fields);
}

#[rstest]
#[case::empty("")]
#[case::a_word("plans")]
#[case::a_digit_too_few("0190a3c4-7b1e-7000-8000-00000000abc")]
#[case::a_digit_too_many("0190a3c4-7b1e-7000-8000-00000000abcde")]
#[case::without_hyphens("0190a3c47b1e7000800000000000abcd")]
#[case::in_braces("{0190a3c4-7b1e-7000-8000-00000000abcd}")]
#[case::as_a_urn("urn:uuid:0190a3c4-7b1e-7000-8000-00000000abcd")]
#[case::with_spaces(" 0190a3c4-7b1e-7000-8000-00000000abcd ")]
#[case::not_hexadecimal("0190a3c4-7b1e-7000-8000-00000000abcg")]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_a_uuid_of_36_characters(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] id: &str,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let thread_id = || id.to_owned();
    let mark = MarkThreadReadRequest {
        thread_id: thread_id(),
        up_to_number: Some(-1),
    };
    assert_invalid(
        ana.mark_thread_read(mark).await,
        &["thread_id", "up_to_number"],
    );
    let unread = pb::MarkThreadUnreadRequest {
        thread_id: thread_id(),
    };
    assert_invalid(ana.mark_thread_unread(unread).await, &["thread_id"]);
    let delete = pb::DeleteThreadRequest {
        thread_id: thread_id(),
    };
    assert_invalid(ana.delete_thread(delete).await, &["thread_id"]);
    let restore = pb::RestoreThreadRequest {
        thread_id: thread_id(),
    };
    assert_invalid(ana.restore_thread(restore).await, &["thread_id"]);
    let read = GetThreadRequest {
        thread_id: thread_id(),
        ..Default::default()
    };
    assert_invalid(ana.get_thread(read).await, &["thread_id"]);
    let edit = EditMessageRequest {
        message_id: thread_id(),
        ..edit()
    };
    assert_invalid(ana.edit_message(edit).await, &["message_id"]);
}

#[rstest]
#[case::as_many_as_are_listed(16)]
#[case::one_more(17)]
#[case::many(200)]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_violations_sixteen_are_listed_and_all_are_counted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] count: usize,
) {
    let server = TestServer::start(database).await;
    let mut request = send();
    // Long ones, so that an error which quotes them grows too large.
    request.recipient_ids = (0..count)
        .map(|n| format!("{n} {}", "x".repeat(200)))
        .collect();
    let result = server.client("ana").send_message(request).await;
    let refusal = assert_refused(result, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(refusal.fields.len(), 16);
    let counted: usize = refusal.metadata["violationCount"].parse().unwrap();
    // More than 100 of them can break the rule on their number besides.
    assert!((count..=count + 1).contains(&counted), "{counted}");
}
