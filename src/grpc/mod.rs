//! The API over gRPC: protobuf in and out, credentials to a [`Caller`](crate::messenger::Caller),
//! errors to statuses.
//!
//! A handler reads as: parse the request, call the use case, build the response. Protobuf's types
//! stay here, and [`status`] is the only file that names a status code.

mod admin;
mod auth;
mod call;
mod check;
mod encoded;
mod handler;
mod limits;
mod observed;
mod page_cache;
mod pages;
mod request;
mod response;
mod service;
mod status;
mod token;
mod watch;

pub use self::{
    admin::Administration,
    auth::{
        Authenticator, Certificates, ClientNames, Jwt, JwtSettings, SHORT_SECRET, Scopes, Service,
        TrustedHeader, holds_secret, holds_short_secret,
    },
    call::{Admission, CallService, PUBLIC_MESSAGE_BYTES_MAX, is_public},
    limits::{CallLimits, Limits, PublicCalls},
    page_cache::PageCache,
    service::Messaging,
    token::TokenKey,
};

/// What the protos of `letterbox.v1` compile to; in [`admin`](pb::admin), those of
/// `letterbox.admin.v1`.
#[expect(
    clippy::pedantic,
    clippy::doc_lazy_continuation,
    reason = "generated code"
)]
pub mod pb {
    pub use super::encoded::Encoded;

    tonic::include_proto!("letterbox.v1");
    tonic::include_proto!("services/letterbox.v1");

    /// Administration.
    pub mod admin {
        tonic::include_proto!("letterbox.admin.v1");
        tonic::include_proto!("services/letterbox.admin.v1");
    }
}

/// The protos' descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("letterbox_descriptor");
