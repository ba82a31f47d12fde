//! What is told of a call once it has ended: counts, and a line in the log.

use std::{
    cell::OnceCell,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tracing::Span;

use super::{
    auth::Identity,
    status::{CANCELLED, OK, UNKNOWN, UNREADABLE, is_our_fault, is_ours},
};
use crate::{
    metrics::{CODES, Held, Metrics, Rpc},
    model::Ids,
    traces,
};

/// How long a request id of the caller's may be.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A call under way. Dropped before it has ended, it was cancelled: its caller has gone.
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    ids: Arc<dyn Ids>,
    rpc: Rpc,
    pub(super) started: Instant,
    request_id: OnceCell<Box<str>>,
    identity: Option<Identity>,
    /// Where it is traced.
    span: Span,
    ended: bool,
    in_flight: Option<Held>,
}

/// What counts a stream as under way, until this is dropped.
#[derive(Clone)]
pub(super) struct InFlight {
    _held: Arc<Held>,
}

impl Observed {
    /// A call begins.
    pub(super) fn begin(
        request: &Request<Body>,
        metrics: &Arc<Metrics>,
        ids: &Arc<dyn Ids>,
    ) -> Self {
        let rpc = Rpc::of_path(request.uri().path());
        Self {
            metrics: Arc::clone(metrics),
            ids: Arc::clone(ids),
            rpc,
            started: Instant::now(),
            request_id: request_id(request.headers())
                .map_or_else(OnceCell::new, |given| OnceCell::from(Box::from(given))),
            identity: None,
            span: Span::none(),
            ended: false,
            in_flight: Some(metrics.rpc.start(rpc)),
        }
    }

    /// Who calls is known; from here on it is traced, if it is.
    pub(super) fn is_by(&mut self, identity: Identity, headers: &HeaderMap) {
        if let Some((service, method)) = self.rpc.full_name() {
            self.span = traces::call(service, method, headers);
        }
        if !self.span.is_disabled() {
            traces::is_by(
                &self.span,
                identity.caller.tenant.as_str(),
                self.request_id(),
            );
        }
        self.identity = Some(identity);
    }

    /// What counts the call as under way, where it is a stream: whoever answers it knows how long that is.
    pub(super) fn hand_over(&mut self) -> Option<InFlight> {
        let held = self.in_flight.take_if(|_| self.rpc.is_stream())?;
        let held = Arc::new(held);
        Some(InFlight { _held: held })
    }

    /// The span of the call.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The answer is there: it ends the call, unless a stream follows, which ends it later.
    pub(super) fn answered(mut self, response: Response<Body>) -> Response<Body> {
        self.metrics.rpc.answered(self.rpc, self.started.elapsed());
        match answer_code(response.headers()) {
            Some(code) => self.end(code),
            None if self.rpc.is_stream() => {
                // A trace of a watch would be sent when it ends, in days.
                self.span = Span::none();
                return response.map(|body| {
                    Body::new(ObservedBody {
                        body,
                        call: Some(self),
                    })
                });
            }
            // What follows the one message can only be this.
            None => self.end(OK),
        }
        response
    }

    fn end(mut self, code: usize) {
        self.note_end(code);
    }

    fn note_end(&mut self, code: usize) {
        self.ended = true;
        self.metrics.rpc.ended(self.rpc, code);
        let our_fault = is_our_fault(code, self.rpc.is_stream());
        traces::ended(&self.span, code, our_fault);
        let caller = self.identity.as_ref().map(|identity| &identity.caller);
        let acting = self.identity.as_ref().and_then(|who| who.acting.as_ref());
        // The level of a line is settled when the program is compiled.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id(),
                    trace_id = traces::trace_id(&self.span).map(tracing::field::display),
                    rpc = self.rpc.name(),
                    code = CODES.get(code).copied().unwrap_or("UNKNOWN"),
                    tenant = caller.map(|caller| caller.tenant.as_str()),
                    user = caller.map(|caller| caller.user.as_str()),
                    acting = acting.map(|service| service.as_str()),
                    duration_ms = self.started.elapsed().as_secs_f64() * 1e3,
                    "call"
                )
            };
        }
        if our_fault {
            line!(info);
        } else {
            line!(debug);
        }
    }

    /// What the call is named by: as its caller does, or else by an id that is made when it is
    /// needed.
    fn request_id(&self) -> &str {
        self.request_id
            .get_or_init(|| self.ids.next().to_string().into())
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.note_end(CANCELLED);
        }
    }
}

/// A stream's responses: the call lasts as long as they do.
struct ObservedBody {
    body: Body,
    call: Option<Observed>,
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let ends_with = match &frame {
            Some(Ok(frame)) => frame
                .trailers_ref()
                .map(|trailers| code(trailers).unwrap_or(OK)),
            Some(Err(_)) => Some(UNKNOWN),
            None => Some(OK),
        };
        if let Some(code) = ends_with
            && let Some(call) = self.call.take()
        {
            call.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The number of the code that a call counts as which is answered with this and nothing else.
///
/// A request that cannot be read is its caller's fault, whatever tonic says of it, such as `INTERNAL` for
/// bytes that are not its message.
fn answer_code(headers: &HeaderMap) -> Option<usize> {
    let code = code(headers)?;
    let is_unreadable = is_our_fault(code, false) && !is_ours(headers);
    Some(if is_unreadable { UNREADABLE } else { code })
}

/// The number of the code that ends a call.
fn code(headers: &HeaderMap) -> Option<usize> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse();
    Some(code.unwrap_or(UNKNOWN))
}

/// What the caller names the call by: visible ASCII, so that a line stays one. Anything else is
/// not taken.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all("x-request-id").iter();
    let (Some(id), None) = (given.next(), given.next()) else {
        return None;
    };
    let id = id.to_str().ok()?;
    let is_visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len());
    (is_visible && fits).then_some(id)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::grpc::DESCRIPTORS;

    #[test]
    fn every_rpc_has_series_of_its_own() {
        let descriptors = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors");
        for file in &descriptors.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let rpc = Rpc::of_path(&path);
                    assert_ne!(rpc.name(), "other", "{path} is missing in metrics/rpc.rs");
                    assert_eq!(rpc.is_stream(), method.server_streaming(), "{path}");
                    // Its handler would wait for its last message.
                    assert!(!method.client_streaming(), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_request_id_is_taken_where_it_cannot_break_a_line() {
        let check = |given: &[&'static str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for id in given {
                headers.append("x-request-id", http::HeaderValue::from_static(id));
            }
            assert_eq!(request_id(&headers), expected, "{given:?}");
        };
        check(&["7f3a:1/x"], Some("7f3a:1/x"));
        check(&[], None);
        check(&[""], None);
        check(&["two words"], None);
        check(&["a\tb"], None);
        check(&["one", "two"], None);
    }
}
