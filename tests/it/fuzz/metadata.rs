//! Metadata: lines of `name: value`.

use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;

use super::{Target, judged};
use crate::support::{RawClient, prelude::*};

/// A server that trusts headers.
pub(super) struct Metadata {
    _server: TestServer,
    client: RawClient,
}

/// The headers that decide something; others are the protocol's own.
const NAMES: &[&str] = &["x-user-id", "x-user-scopes", "x-tenant-id", "grpc-timeout"];

impl Target for Metadata {
    const NAME: &'static str = "metadata";

    const WORDS: &'static [&'static str] = &[
        "x-user-id: ",
        "x-user-scopes: ",
        "x-tenant-id: ",
        "grpc-timeout: ",
        "\n",
        "ana",
        "letterbox:",
        "default",
        "a-1",
        "99999999H",
        "0n",
        "1S",
        "\u{e9}",
        "\t",
        "letterbox.admin ",
    ];

    async fn start(database: Database) -> Self {
        let server = TestServer::start(database).await;
        Self {
            client: RawClient::connect(&server).await,
            _server: server,
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        vec![
            b"x-user-id: ana\nx-user-scopes: letterbox.admin\nx-tenant-id: shop\ngrpc-timeout: 5S"
                .to_vec(),
        ]
    }

    async fn attempt(&self, input: &[u8]) -> Result<String, String> {
        let headers = headers(input);
        let answer = self
            .client
            .call(
                "letterbox.v1.MessagingService/GetInboxSummary",
                headers.clone(),
                b"",
            )
            .await;
        let kind = format!("{} {}", judged(&answer.status)?, shape(&headers));
        match answer.status.code() {
            Code::Ok => {
                let summary = GetInboxSummaryResponse::decode(&answer.body[5..]);
                let user = summary.ok().and_then(|summary| summary.user);
                is_named(&headers, &user.unwrap_or_default().id)?;
                Ok(kind)
            }
            Code::Unauthenticated | Code::ResourceExhausted => Ok(kind),
            Code::DeadlineExceeded if headers.contains_key("grpc-timeout") => Ok(kind),
            _ => Err(format!("{:?}", answer.status)),
        }
    }
}

fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(colon) = line.windows(2).position(|pair| pair == b": ") else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]).ok();
        let name = name.filter(|name| NAMES.contains(&name.as_str()));
        let value = HeaderValue::from_bytes(&line[colon + 2..]).ok();
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Which headers there are, how often, and how long.
fn shape(headers: &HeaderMap) -> String {
    let of_name = NAMES.iter().map(|name| {
        let values = headers.get_all(*name).iter();
        let lengths = values.map(|value| value.len().next_power_of_two().ilog2().to_string());
        lengths.collect::<Vec<_>>().join(",")
    });
    of_name.collect::<Vec<_>>().join(" ")
}

/// Checks that a caller who was let in is named once, and rightly, with another reader's eyes.
fn is_named(headers: &HeaderMap, user: &str) -> Result<(), String> {
    let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
    let good_user = match all("x-user-id").as_slice() {
        [one] => {
            *one == user && user.len() <= 128 && user.chars().all(|c| ('!'..='~').contains(&c))
        }
        _ => false,
    };
    let good_tenant = match all("x-tenant-id").as_slice() {
        [] => true,
        [one] => one.to_str().is_ok_and(|tenant| {
            let first = tenant.chars().next();
            first.is_some_and(|first| first.is_ascii_lowercase()) && tenant.len() < 64
        }),
        _ => false,
    };
    if good_user && good_tenant && all("x-user-scopes").len() < 2 {
        Ok(())
    } else {
        Err(format!("{headers:?} were taken for {user:?}"))
    }
}
