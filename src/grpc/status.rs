//! From what went wrong to a status: the only file that names a status code.
//!
//! Every status carries `google.rpc` details (AIP-193): an `ErrorInfo` with a reason that a client
//! can go by, and what else fits. Causes are logged here, once, and never sent.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::auth::{BadCredentials, TurnedAway};
use crate::{
    messenger::Error,
    model::{Ids, Refusal, UserId},
};

/// The domain of all reasons.
const DOMAIN: &str = "letterbox";

/// How many violations of a request are listed; more only count.
pub(super) const VIOLATIONS_LISTED: usize = 16;

/// How many bytes the names of unknown users take at most, in the metadata.
const NAMES_BYTES_MAX: usize = 2_600;

/// And in the message, which is sent twice, and once with three bytes for some characters.
const MESSAGE_NAMES_BYTES_MAX: usize = 300;

/// The number of the code that a call ends with which did what it was asked to.
pub(super) const OK: usize = Code::Ok as usize;

/// That of a call whose caller has gone.
pub(super) const CANCELLED: usize = Code::Cancelled as usize;

/// That of a call of which nothing better is known.
pub(super) const UNKNOWN: usize = Code::Unknown as usize;

/// That of a call whose request cannot be read.
pub(super) const UNREADABLE: usize = Code::InvalidArgument as usize;

/// Whether a call's end, by its code's number, is the server's fault and not its caller's.
///
/// Streams end with `UNAVAILABLE` whenever a server shuts down, all at once; what else it may mean to
/// them is logged where it happens.
pub(super) fn is_our_fault(code: usize, stream: bool) -> bool {
    let code = Code::from_i32(i32::try_from(code).unwrap_or(-1));
    match code {
        Code::Unknown | Code::Internal | Code::DataLoss => true,
        Code::Unavailable => !stream,
        _ => false,
    }
}

/// A rule that a field of a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The field, as the API names it; an element of a list with its index.
    pub(super) field: String,
    /// The rule, worded to follow the field's name.
    pub(super) rule: Cow<'static, str>,
}

/// All that is wrong with a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Violations {
    /// The first of them, as many as are told.
    pub(super) listed: Vec<Violation>,
    /// How many there are.
    pub(super) count: usize,
}

/// Why a call is not answered with what it asked for.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    TurnedAway(TurnedAway),
    ScopeMissing(&'static str),
    Invalid(Violations),
    TooLarge,
    MetadataTooLarge,
    /// So long until the caller's next call is not one too many.
    RateLimited(Duration),
    TooManyWatches,
    TooManyPublicCalls,
    DeadlineExceeded,
    Panicked,
    UseCase(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::UseCase(error)
    }
}

/// A status before it is put together.
struct Draft {
    code: Code,
    message: String,
    details: ErrorDetails,
}

impl Draft {
    fn new(code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self::with_metadata(code, reason, message, [])
    }

    fn with_metadata<const N: usize>(
        code: Code,
        reason: &str,
        message: impl Into<String>,
        metadata: [(&str, String); N],
    ) -> Self {
        let metadata: HashMap<String, String> = metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Self {
            code,
            message: message.into(),
            details: ErrorDetails::with_error_info(reason, DOMAIN, metadata),
        }
    }

    fn resource(mut self, kind: &str, name: &str) -> Self {
        self.details.set_resource_info(kind, name, "", "");
        self
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.details.set_retry_info(Some(delay));
        self
    }

    fn finish(self) -> Status {
        let mut metadata = MetadataMap::new();
        let delay = self.details.retry_info().and_then(|info| info.retry_delay);
        if let Some(delay) = delay {
            // What gRPC's own retries read:
            // https://github.com/grpc/proposal/blob/master/A6-client-retries.md
            metadata.insert("grpc-retry-pushback-ms", MetadataValue::from(millis(delay)));
        }
        Status::with_error_details_and_metadata(self.code, self.message, self.details, metadata)
    }
}

/// The status of a failure. `ids` gives a defect its id, and spreads the return of many.
pub(super) fn status(failure: Failure, ids: &dyn Ids) -> Status {
    let draft = match failure {
        Failure::TurnedAway(TurnedAway::Unknown(bad)) => unauthenticated(bad),
        Failure::TurnedAway(TurnedAway::TenantNotAllowed) => Draft::new(
            Code::PermissionDenied,
            "TENANT_NOT_ALLOWED",
            "the call names a tenant that is not its token's",
        ),
        Failure::TurnedAway(TurnedAway::ScopeMissing(scope)) | Failure::ScopeMissing(scope) => {
            Draft::with_metadata(
                Code::PermissionDenied,
                "SCOPE_MISSING",
                format!("the call needs the scope {scope}"),
                [("scope", scope.to_owned())],
            )
        }
        Failure::Invalid(violations) => invalid(violations),
        Failure::TooLarge => Draft::new(
            Code::ResourceExhausted,
            "REQUEST_TOO_LARGE",
            "the request is larger than the server takes: 4 MiB, unless it is set to less; 1 KiB for \
             health",
        ),
        Failure::MetadataTooLarge => Draft::new(
            Code::ResourceExhausted,
            "REQUEST_TOO_LARGE",
            "the call's metadata is larger than 16 KiB",
        ),
        Failure::RateLimited(wait) => Draft::new(
            Code::ResourceExhausted,
            "RATE_LIMITED",
            "the caller makes too many calls a second",
        )
        // Not before it helps.
        .retry_after(spread(ids, Duration::from_millis(millis(wait) + 1))),
        Failure::TooManyWatches => Draft::new(
            Code::ResourceExhausted,
            "TOO_MANY_WATCHES",
            "the caller has as many watches as the server allows one user: end another one first",
        )
        .retry_after(spread(ids, Duration::from_secs(1))),
        Failure::TooManyPublicCalls => Draft::new(
            Code::ResourceExhausted,
            "TOO_MANY_CALLS",
            "the connection has as many calls of health and reflection under way as there is room \
             for: end another one first",
        )
        .retry_after(spread(ids, Duration::from_secs(1))),
        Failure::DeadlineExceeded => Draft::new(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the call's deadline has passed; what was begun may still be done",
        ),
        Failure::Panicked => internal(ids, &"a handler panicked"),
        Failure::UseCase(error) => use_case(error, ids),
    };
    draft.finish()
}

/// The status of a call by nobody; no more than the reason, which helps only its owner.
fn unauthenticated(bad: BadCredentials) -> Draft {
    let (reason, message) = match bad {
        BadCredentials::Missing => ("CREDENTIALS_MISSING", "the call carries no credentials"),
        BadCredentials::Malformed => (
            "CREDENTIALS_MALFORMED",
            "the call's credentials cannot be read",
        ),
        BadCredentials::Expired => ("CREDENTIALS_EXPIRED", "the call's token has expired"),
        BadCredentials::NotAccepted => (
            "CREDENTIALS_NOT_ACCEPTED",
            "the call's token is not accepted here",
        ),
    };
    Draft::new(Code::Unauthenticated, reason, message)
}

/// The status of a use case that was not carried out.
fn use_case(error: Error, ids: &dyn Ids) -> Draft {
    let message = error.to_string();
    match error {
        Error::Refused(refusal) => refused(refusal, message),
        Error::ResumeTokenExpired => {
            Draft::new(Code::OutOfRange, "RESUME_TOKEN_EXPIRED", message)
                // Many watchers may be told at once, and each will list again.
                .retry_after(spread(ids, Duration::from_millis(500)))
        }
        Error::Overloaded | Error::Stalled => Draft::new(Code::Unavailable, "OVERLOADED", message)
            .retry_after(spread(ids, Duration::from_millis(50))),
        Error::DatabaseUnavailable(cause) => {
            tracing::warn!(error = %chain(&*cause), "the database is unavailable");
            Draft::new(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
                .retry_after(spread(ids, Duration::from_millis(200)))
        }
        Error::ShuttingDown => Draft::new(Code::Unavailable, "SHUTTING_DOWN", message)
            .retry_after(spread(ids, Duration::from_millis(50))),
        Error::Internal(cause) => internal(ids, &chain(&*cause)),
    }
}

fn refused(refusal: Refusal, message: String) -> Draft {
    match refusal {
        Refusal::ThreadNotFound(id) => Draft::new(Code::NotFound, "THREAD_NOT_FOUND", message)
            .resource("letterbox.v1.Thread", &id.to_string()),
        Refusal::MessageNotFound(id) => Draft::new(Code::NotFound, "MESSAGE_NOT_FOUND", message)
            .resource("letterbox.v1.Message", &id.to_string()),
        Refusal::RecipientsNotFound(recipients) => recipients_not_found(&recipients),
        Refusal::UsersNotFound(users) => users_not_found(&users),
        Refusal::NotTheSender(id) => Draft::new(Code::PermissionDenied, "NOT_THE_SENDER", message)
            .resource("letterbox.v1.Message", &id.to_string()),
        Refusal::RevisionStale { id, current } => Draft::with_metadata(
            Code::Aborted,
            "REVISION_STALE",
            message,
            [("currentRevision", current.to_string())],
        )
        .resource("letterbox.v1.Message", &id.to_string()),
        Refusal::RequestIdReused => Draft::new(Code::AlreadyExists, "REQUEST_ID_REUSED", message),
    }
}

fn recipients_not_found(recipients: &[UserId]) -> Draft {
    let first = recipients.first().map_or("", UserId::as_str);
    Draft::with_metadata(
        Code::NotFound,
        "RECIPIENT_NOT_FOUND",
        format!("no such recipients: {}", in_a_message(recipients)),
        [
            ("recipientIds", in_metadata(recipients)),
            ("recipientCount", recipients.len().to_string()),
        ],
    )
    .resource("letterbox.v1.User", first)
}

fn users_not_found(users: &[UserId]) -> Draft {
    let first = users.first().map_or("", UserId::as_str);
    Draft::with_metadata(
        Code::NotFound,
        "USER_NOT_FOUND",
        format!("no such users: {}", in_a_message(users)),
        [
            ("userIds", in_metadata(users)),
            ("userCount", users.len().to_string()),
        ],
    )
    .resource("letterbox.admin.v1.User", first)
}

fn in_metadata(users: &[UserId]) -> String {
    as_many_as_fit(users, " ", NAMES_BYTES_MAX).0
}

fn in_a_message(users: &[UserId]) -> String {
    let (names, count) = as_many_as_fit(users, ", ", MESSAGE_NAMES_BYTES_MAX);
    match users.len() - count {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// Names, as many as there is room for, and how many that are; at least one.
fn as_many_as_fit(users: &[UserId], separator: &str, bytes: usize) -> (String, usize) {
    let mut text = String::new();
    for (index, user) in users.iter().enumerate() {
        if !text.is_empty() {
            if text.len() + separator.len() + user.as_str().len() > bytes {
                return (text, index);
            }
            text.push_str(separator);
        }
        text.push_str(user.as_str());
    }
    (text, users.len())
}

fn invalid(Violations { listed, count }: Violations) -> Draft {
    let message = match (listed.first(), count) {
        (Some(first), 1) => format!("{} {}", first.field, first.rule),
        (Some(first), _) => format!("{} {} (1 of {count} violations)", first.field, first.rule),
        (None, _) => "the request is not valid".to_owned(),
    };
    let mut draft = Draft::with_metadata(
        Code::InvalidArgument,
        "INVALID_REQUEST",
        message,
        [("violationCount", count.to_string())],
    );
    let listed: Vec<_> = listed
        .into_iter()
        .map(|violation| FieldViolation::new(violation.field, violation.rule))
        .collect();
    draft.details.set_bad_request(listed);
    draft
}

/// A defect: logged with an id that the caller also gets, and no more than that.
fn internal(ids: &dyn Ids, cause: &dyn std::fmt::Display) -> Draft {
    let error_id = ids.next().to_string();
    tracing::error!(error_id, error = %cause, "internal error");
    Draft::with_metadata(
        Code::Internal,
        "INTERNAL",
        format!("internal error {error_id}"),
        [("errorId", error_id)],
    )
}

/// What tonic itself answers, in our words: its statuses carry no details.
///
/// A message over the size limit is `OUT_OF_RANGE` to tonic, which here means an expired token;
/// gRPC's own table says `RESOURCE_EXHAUSTED`:
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>.
pub(super) fn in_our_words(headers: &http::HeaderMap) -> Option<Failure> {
    let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
    (code == Code::OutOfRange && !is_ours(headers)).then_some(Failure::TooLarge)
}

/// Whether a status was made here.
pub(super) fn is_ours(headers: &http::HeaderMap) -> bool {
    headers.contains_key("grpc-status-details-bin")
}

/// Says of a call that there is no such rpc, where tonic leaves it at the code.
pub(super) fn explain(headers: &mut http::HeaderMap) {
    let unimplemented = headers
        .get("grpc-status")
        .is_some_and(|status| Code::from_bytes(status.as_bytes()) == Code::Unimplemented);
    if unimplemented && !headers.contains_key("grpc-message") {
        let message = http::HeaderValue::from_static("the server has no such rpc");
        headers.insert("grpc-message", message);
    }
}

fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}

/// A delay of so long, or up to ten times that, by chance; in whole milliseconds, as the trailer has it.
fn spread(ids: &dyn Ids, least: Duration) -> Duration {
    // The last bytes of an id are random.
    let (_, random) = ids.next().as_u64_pair();
    let share = (random & 0xffff) as u32;
    Duration::from_millis(millis(least + least * 9 * share / 0x1_0000))
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
