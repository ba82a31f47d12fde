//! gRPC-Web: what lets pages in browsers call, which cannot read HTTP/2 trailers.
//!
//! The protocol is
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>. It is translated around all that
//! surrounds a call, so that a call that is turned away reaches a page like any other answer.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::Either as EitherFuture;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tonic::{body::Body, service::Routes};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, util::Either};
use tower_http::cors::{Cors, CorsLayer};

use crate::grpc::CallService;

/// Calls as they come, or with gRPC-Web among them.
pub(super) type Service = Either<Cors<OfPages<GrpcWebService<Calls>>>, Calls>;

type Calls = CallService<Routes>;

/// How long a browser may remember what it was allowed; none does so for longer.
const ALLOWED_FOR: Duration = Duration::from_hours(2);

/// The headers that pages may send: the protocol's, those that say who calls, and those by which a call is found again.
const REQUEST_HEADERS: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-tenant-id"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("x-user-id"),
    HeaderName::from_static("x-user-scopes"),
];

/// The headers that pages may read: where nothing but an error is answered, it stands there.
const RESPONSE_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-retry-pushback-ms"),
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// Adds gRPC-Web to a service, for pages of these origins; none: not at all.
pub(super) fn with_web(service: Calls, origins: Option<Vec<HeaderValue>>) -> Service {
    match origins {
        Some(origins) => {
            let of_pages = OfPages {
                service: GrpcWebLayer::new().layer(service),
                origins: origins.as_slice().into(),
            };
            Either::Left(cors(origins).layer(of_pages))
        }
        None => Either::Right(service),
    }
}

/// Calls of pages of these origins, and of whoever is no page.
///
/// A browser asks first only where a page could not send the same by a form; and of what came it keeps the
/// answer from the page, and no more.
#[derive(Clone)]
pub(super) struct OfPages<S> {
    service: S,
    origins: Arc<[HeaderValue]>,
}

impl<S, B> tower::Service<Request<B>> for OfPages<S>
where
    S: tower::Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = EitherFuture<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let origin = request.headers().get(header::ORIGIN);
        if origin.is_none_or(|origin| self.origins.contains(origin)) {
            return EitherFuture::Right(self.service.call(request));
        }
        let mut refused = Response::new(Body::empty());
        *refused.status_mut() = StatusCode::FORBIDDEN;
        EitherFuture::Left(ready(Ok(refused)))
    }
}

/// Tells browsers which pages may call: those of these origins, and no others.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(ALLOWED_FOR)
}
