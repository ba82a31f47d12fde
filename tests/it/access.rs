//! Who may call what: every call of both services, by everybody, in both modes.

use http::{HeaderMap, HeaderName};
use letterbox::config::Auth;
use prost::Message as _;
use serde_json::json;

use crate::{
    support::{RawClient, calls, named, prelude::*},
    tokens::{Deployment, SECRET, claims, token},
};

/// What each caller is answered. Ana has sent a thread to Ben.
///
/// `-`: no credentials; `absent`: not found; `scope`: a scope is missing; `denied`: not the sender.
/// A line is a call, some with more than one kind of request.
const TABLE: &str = "
                            nobody  zoe     ben     ana     robot   robot   robot   robot   robot   ana
                                                            without watches admin   acts    for ana elsewhere
ListInbox                   -       ok      ok      ok      ok      ok      ok      ok      ok      ok
GetInboxSummary             -       ok      ok      ok      ok      ok      ok      ok      ok      ok
GetThread                   -       absent  ok      ok      absent  absent  absent  absent  ok      absent
SendMessage                 -       ok      ok      ok      ok      ok      ok      ok      ok      ok
ReplyThread                 -       absent  ok      ok      absent  absent  absent  absent  ok      absent
EditMessage                 -       absent  denied  ok      absent  absent  absent  absent  ok      absent
MarkThreadRead              -       absent  ok      ok      absent  absent  absent  absent  ok      absent
MarkThreadUnread            -       absent  ok      ok      absent  absent  absent  absent  ok      absent
DeleteThread                -       absent  ok      ok      absent  absent  absent  absent  ok      absent
RestoreThread               -       absent  ok      ok      absent  absent  absent  absent  ok      absent
WatchMessages               -       ok      ok      ok      ok      ok      ok      ok      ok      ok
WatchMessages/of_a_thread   -       absent  ok      ok      absent  absent  absent  absent  ok      absent
WatchMessages/of_all_users  -       scope   scope   scope   scope   ok      scope   scope   scope   scope
BatchCreateUsers            -       scope   scope   scope   scope   scope   ok      scope   scope   scope
BatchUpdateUsers            -       scope   scope   scope   scope   scope   ok      scope   scope   scope
BatchDeactivateUsers        -       scope   scope   scope   scope   scope   ok      scope   scope   scope
BatchReactivateUsers        -       scope   scope   scope   scope   scope   ok      scope   scope   scope
ListUsers                   -       scope   scope   scope   scope   scope   ok      scope   scope   scope
ListTenants                 -       scope   scope   scope   scope   scope   ok      scope   scope   scope
";

/// Somebody who calls, with a scope, for somebody else, in a tenant; or nobody.
struct Caller {
    user: &'static str,
    scope: &'static str,
    acts_for: &'static str,
    tenant: &'static str,
}

impl Caller {
    const fn new(user: &'static str, scope: &'static str, acts_for: &'static str) -> Self {
        let tenant = "shop";
        Self {
            user,
            scope,
            acts_for,
            tenant,
        }
    }
}

/// The callers, in the order of the table.
const CALLERS: [Caller; 10] = [
    Caller::new("", "", ""),
    Caller::new("zoe", "", ""),
    Caller::new("ben", "", ""),
    ANA,
    Caller::new("robot", "", ""),
    Caller::new("robot", "letterbox.watch-all", ""),
    Caller::new("robot", "letterbox.admin", ""),
    Caller::new("robot", "letterbox.act-as", ""),
    Caller::new("robot", "letterbox.act-as", "ana"),
    Caller {
        tenant: "elsewhere",
        ..ANA
    },
];

const ANA: Caller = Caller::new("ana", "", "");

/// What a server goes by.
#[derive(Clone, Copy)]
enum Mode {
    TrustedHeader,
    Jwt,
}

impl Mode {
    /// What a caller says of themselves.
    fn metadata(self, caller: &Caller) -> Vec<(&'static str, String)> {
        let Caller {
            user,
            scope,
            acts_for,
            tenant,
        } = *caller;
        let mut metadata = Vec::new();
        if user.is_empty() {
            return metadata;
        }
        match self {
            Self::TrustedHeader => {
                let user = if acts_for.is_empty() { user } else { acts_for };
                metadata.push(("x-user-id", user.to_owned()));
                metadata.push(("x-user-scopes", scope.to_owned()));
                metadata.push(("x-tenant-id", tenant.to_owned()));
            }
            Self::Jwt => {
                let token = token(&claims(user, json!({"scope": scope, "org": tenant})));
                metadata.push(("authorization", format!("Bearer {token}")));
                if !acts_for.is_empty() {
                    metadata.push(("x-user-id", acts_for.to_owned()));
                }
            }
        }
        metadata
    }

    async fn start(self, database: Database) -> Deployment {
        Deployment::with(database, SECRET, |settings| match self {
            Self::TrustedHeader => settings.auth = Auth::TrustedHeader,
            Self::Jwt => settings.jwt_tenant_claim = Some("org".into()),
        })
        .await
    }
}

fn headers(metadata: &[(&'static str, String)]) -> HeaderMap {
    let entries = metadata.iter().map(|(name, value)| {
        let value = value.parse().expect("a header's value");
        (HeaderName::from_static(name), value)
    });
    entries.collect()
}

/// The request of a line of the table.
pub(crate) fn request(line: &str, thread: &str, message: &str) -> Vec<u8> {
    let thread_id = thread.to_owned();
    let user_ids = vec!["ben".to_owned()];
    let users = vec![named("ben")];
    match line {
        "ListInbox" => ListInboxRequest::default().encode_to_vec(),
        "GetInboxSummary" => GetInboxSummaryRequest {}.encode_to_vec(),
        "GetThread" => GetThreadRequest {
            thread_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "SendMessage" => SendMessageRequest {
            recipient_ids: user_ids,
            subject: "plans".into(),
            content: "Lunch?".into(),
            request_id: String::new(),
        }
        .encode_to_vec(),
        "ReplyThread" => ReplyThreadRequest {
            thread_id,
            content: "Yes".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "EditMessage" => EditMessageRequest {
            message_id: message.to_owned(),
            content: "Dinner?".into(),
            expected_revision: None,
        }
        .encode_to_vec(),
        "MarkThreadRead" => MarkThreadReadRequest {
            thread_id,
            up_to_number: None,
        }
        .encode_to_vec(),
        "MarkThreadUnread" => pb::MarkThreadUnreadRequest { thread_id }.encode_to_vec(),
        "DeleteThread" => pb::DeleteThreadRequest { thread_id }.encode_to_vec(),
        "RestoreThread" => pb::RestoreThreadRequest { thread_id }.encode_to_vec(),
        "WatchMessages" => WatchMessagesRequest::default().encode_to_vec(),
        "WatchMessages/of_a_thread" => WatchMessagesRequest {
            thread_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "WatchMessages/of_all_users" => WatchMessagesRequest {
            scope: WatchScope::AllUsers.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "BatchCreateUsers" => pb::admin::BatchCreateUsersRequest { users }.encode_to_vec(),
        "BatchUpdateUsers" => pb::admin::BatchUpdateUsersRequest { users }.encode_to_vec(),
        "BatchDeactivateUsers" => {
            pb::admin::BatchDeactivateUsersRequest { user_ids }.encode_to_vec()
        }
        "BatchReactivateUsers" => {
            pb::admin::BatchReactivateUsersRequest { user_ids }.encode_to_vec()
        }
        "ListUsers" => pb::admin::ListUsersRequest::default().encode_to_vec(),
        "ListTenants" => pb::admin::ListTenantsRequest::default().encode_to_vec(),
        other => panic!("no request for {other}"),
    }
}

/// An answer as the table has it.
fn cell(status: &tonic::Status) -> String {
    if status.code() == Code::Ok {
        return "ok".into();
    }
    let refusal = Refusal::of(status);
    let reason = match (refusal.code, refusal.reason.as_str()) {
        (Code::Unauthenticated, "CREDENTIALS_MISSING") => "-",
        (Code::PermissionDenied, "SCOPE_MISSING") => "scope",
        (Code::PermissionDenied, "NOT_THE_SENDER") => "denied",
        (Code::NotFound, "THREAD_NOT_FOUND" | "MESSAGE_NOT_FOUND") => "absent",
        (_, reason) => reason,
    };
    reason.into()
}

/// The table's lines: a name, then what each caller is answered.
fn expected() -> Vec<(String, Vec<String>)> {
    let lines = TABLE.lines().skip(3);
    let lines = lines.map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().expect("a name"), words.collect())
    });
    lines.collect()
}

/// The names of the table's lines.
pub(crate) fn lines() -> Vec<String> {
    expected().into_iter().map(|(line, _)| line).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_answered_as_the_table_says(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Mode::TrustedHeader, Mode::Jwt)] mode: Mode,
) {
    let Deployment { server, .. } = &mode.start(database).await;
    let ana = mode.metadata(&ANA).into_iter();
    let ana = ana.fold(server.anonymous(), |client, (name, value)| {
        client.with(name, &value)
    });
    let sent = ana.start("plans", &["ben"], "Lunch?").await;

    let all = calls(server).await;
    let client = RawClient::connect(server).await;
    let mut answered = Vec::new();
    for line in lines() {
        let name = line.split('/').next().expect("a name");
        let path = all.iter().find(|call| call.ends_with(&format!("/{name}")));
        let path = path.unwrap_or_else(|| panic!("there is no call {name}"));
        let message = request(&line, &sent.thread, &sent.message.id);
        let mut cells = Vec::new();
        for caller in &CALLERS {
            let headers = headers(&mode.metadata(caller));
            cells.push(cell(&client.outcome(path, headers, &message).await));
        }
        answered.push((line, cells));
    }
    assert_eq!(answered, expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_a_line_for_every_call_of_every_service() {
    let server = TestServer::start(Database::Sqlite).await;
    let lines = lines();
    for call in calls(&server).await {
        let (_, name) = call.split_once('/').expect("a call");
        assert!(
            lines.iter().any(|line| line == name),
            "{call} is not in the table"
        );
    }
}
