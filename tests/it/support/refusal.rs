//! What a refused call says, read and checked in one place.

use std::{collections::HashMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

/// What a refused call says to people and programs.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status code.
    pub(crate) code: Code,
    /// The reason of the `ErrorInfo`.
    pub(crate) reason: String,
    /// The metadata of the `ErrorInfo`.
    pub(crate) metadata: HashMap<String, String>,
    /// The fields that `BadRequest` lists, in its order.
    pub(crate) fields: Vec<String>,
    /// The names of the resources that are spoken of.
    pub(crate) resources: Vec<String>,
    /// How long to wait before another try.
    pub(crate) retry_delay: Option<Duration>,
    /// The text for people.
    pub(crate) message: String,
}

impl Refusal {
    /// Reads a refusal that the service made, and checks what it promises of all of them.
    pub(crate) fn of(status: &Status) -> Self {
        let details = status
            .check_error_details_vec()
            .unwrap_or_else(|error| panic!("unreadable details: {error}; {status:?}"));
        let mut refusal = Self {
            code: status.code(),
            reason: String::new(),
            metadata: HashMap::new(),
            fields: Vec::new(),
            resources: Vec::new(),
            retry_delay: None,
            message: status.message().to_owned(),
        };
        for detail in details {
            match detail {
                ErrorDetail::ErrorInfo(info) => {
                    assert_eq!(info.domain, "letterbox", "{status:?}");
                    refusal.reason = info.reason;
                    refusal.metadata = info.metadata;
                }
                ErrorDetail::BadRequest(bad) => {
                    for violation in bad.field_violations {
                        assert!(!violation.description.is_empty(), "{status:?}");
                        refusal.fields.push(violation.field);
                    }
                }
                ErrorDetail::ResourceInfo(resource) => {
                    refusal.resources.push(resource.resource_name);
                }
                ErrorDetail::RetryInfo(retry) => refusal.retry_delay = retry.retry_delay,
                other => panic!("a detail that the contract does not name: {other:?}"),
            }
        }
        assert!(
            !refusal.reason.is_empty(),
            "an error without ErrorInfo: {status:?}"
        );
        assert!(
            !refusal.message.is_empty(),
            "an error without a message: {status:?}"
        );
        let size = status.details().len() + status.message().len();
        assert!(size < 4096, "details and message of {size} bytes");

        let pushback = status.metadata().get("grpc-retry-pushback-ms");
        let pushback = pushback.map(|value| value.to_str().expect("a number").to_owned());
        let expected = refusal
            .retry_delay
            .map(|delay| delay.as_millis().to_string());
        assert_eq!(
            pushback, expected,
            "RetryInfo and pushback agree: {status:?}"
        );
        refusal
    }
}

/// Checks that a call was refused with this code and reason.
#[track_caller]
pub(crate) fn assert_refused<T: fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
    reason: &str,
) -> Refusal {
    let refusal = Refusal::of(&result.expect_err("the call is refused"));
    let said = (refusal.code, refusal.reason.as_str());
    assert_eq!(said, (code, reason), "{}", refusal.message);
    refusal
}

/// Checks that a request was found malformed, and each violation counted and listed.
///
/// `fields` has a name for each violation; the position within a repeated field is not compared.
#[track_caller]
pub(crate) fn assert_invalid<T: fmt::Debug>(result: Result<T, Status>, fields: &[&str]) -> Refusal {
    let refusal = assert_refused(result, Code::InvalidArgument, "INVALID_REQUEST");
    let count = refusal.metadata.get("violationCount").map(String::as_str);
    assert_eq!(
        count,
        Some(fields.len().to_string().as_str()),
        "{refusal:?}"
    );
    let mut listed: Vec<&str> = refusal
        .fields
        .iter()
        .map(|field| field.split('[').next().unwrap_or_default())
        .collect();
    listed.sort_unstable();
    let mut expected = fields.to_vec();
    expected.sort_unstable();
    expected.truncate(16);
    assert_eq!(listed, expected, "{refusal:?}");
    refusal
}
