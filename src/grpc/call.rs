//! What surrounds every call: size of its metadata, identity, deadline, panics, what is told of it.
//!
//! Around the router and not inside of the handlers, so that a call is turned away before its
//! message is read.

use std::{
    convert::Infallible,
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;
use tracing::Instrument;

use super::{
    auth::{Authenticator, ClientNames, Identity, Scopes},
    check::require,
    limits::{Limits, PublicCalls, PublicSlot, Received, Slot},
    observed::Observed,
    status::{Failure, explain, in_our_words, status},
};
use crate::{
    messenger::Error,
    metrics::{Limit, Metrics},
    model::Ids,
};

/// How large a call's metadata gets at most, as HTTP/2 counts it: 32 bytes an entry besides its
/// name and value (RFC 9113, section 6.5.2).
const METADATA_BYTES_MAX: usize = 16 * 1024;

/// How much is read of a request that is turned away, in bytes.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// How long such a request may take to come.
const UNREAD_MAX: Duration = Duration::from_secs(1);

/// The services that anybody may call: health and reflection.
const PUBLIC_PREFIX: &str = "/grpc.";

/// The one of them that takes a stream of messages.
const REFLECTION_PREFIX: &str = "/grpc.reflection.";

/// The largest message that these take, in bytes: enough for any name. Reflection repeats what it does
/// not know in its trailers, where nothing but this bounds it.
pub const PUBLIC_MESSAGE_BYTES_MAX: usize = 1024;

/// The service that takes a scope for whatever is called.
const ADMIN_PREFIX: &str = "/letterbox.admin.";

/// When a call's caller no longer waits for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallDeadline(pub(super) Instant);

/// What is to be done when it is known who makes a call; beside the request, as it is about its connection.
#[derive(Clone)]
pub struct Admission(Arc<dyn Fn() + Send + Sync>);

impl Admission {
    /// This is to be done.
    pub fn of(note: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(note))
    }
}

/// Whether a call is of a service that anybody may call.
pub fn is_public(path: &str) -> bool {
    path.starts_with(PUBLIC_PREFIX)
}

/// The place of a call that was let in.
enum Place {
    /// Until it is answered.
    Of(Slot),
    /// Until its answer has been sent, which may be a stream without end.
    Public(PublicSlot),
}

/// A service with all that surrounds a call.
#[derive(Clone)]
pub struct CallService<S> {
    inner: S,
    authenticator: Arc<dyn Authenticator>,
    limits: Arc<Limits>,
    ids: Arc<dyn Ids>,
    metrics: Arc<Metrics>,
    /// When it is cancelled, calls under way are given up.
    ending: CancellationToken,
}

impl<S> CallService<S> {
    /// Surrounds the calls of a service.
    pub fn new(
        inner: S,
        authenticator: Arc<dyn Authenticator>,
        limits: Arc<Limits>,
        ids: Arc<dyn Ids>,
        metrics: Arc<Metrics>,
        ending: CancellationToken,
    ) -> Self {
        Self {
            inner,
            authenticator,
            limits,
            ids,
            metrics,
            ending,
        }
    }

    /// Turns a call away, or lets it in with its caller's identity beside it.
    fn admit(&self, request: &mut Request<Body>, call: &mut Observed) -> Result<Place, Failure> {
        if metadata_bytes(request.headers()) > METADATA_BYTES_MAX {
            return Err(self
                .limits
                .refused(Limit::MetadataBytes, Failure::MetadataTooLarge));
        }
        if is_public(request.uri().path()) {
            let connection = request.extensions().get::<PublicCalls>();
            return self.limits.begin_public(connection).map(Place::Public);
        }
        // First, since checking a signature is work that a busy process does not have to do.
        let slot = self.limits.begin_call()?;
        // Beside the request, since there are layers between a connection and its calls.
        let client = request.extensions().get::<Arc<ClientNames>>();
        let identity = self
            .authenticator
            .authenticate(request.headers(), client.map(|names| &**names));
        let identity = identity.map_err(Failure::TurnedAway)?;
        call.is_by(identity.clone(), request.headers());
        if let Some(Admission(note)) = request.extensions().get() {
            note();
        }
        if request.uri().path().starts_with(ADMIN_PREFIX) {
            // Before the request's form, which is looked at when it has been read.
            require(&identity, Scopes::ADMIN)?;
        }
        self.limits.check_rate(&identity.caller)?;
        request.extensions_mut().insert(identity);
        Ok(Place::Of(slot))
    }

    /// A request that was let in, of which its handler gets nothing before its one message is whole.
    fn received(&self, request: Request<Body>) -> Request<Body> {
        let (head, body) = request.into_parts();
        let (limits, ids) = (&self.limits, &self.ids);
        let body = match head.extensions.get::<Identity>() {
            Some(identity) => Received::of(identity.caller.clone(), body, limits, ids),
            None if head.uri.path().starts_with(REFLECTION_PREFIX) => {
                return Request::from_parts(head, body);
            }
            None => Received::small(PUBLIC_MESSAGE_BYTES_MAX, body, limits, ids),
        };
        Request::from_parts(head, Body::new(body))
    }
}

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    S: Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (ids, metrics) = (Arc::clone(&self.ids), Arc::clone(&self.metrics));
        let mut call = Observed::begin(&request, &metrics, &ids);
        let admitted = self.admit(&mut request, &mut call);
        let (limits, ending) = (Arc::clone(&self.limits), self.ending.clone());
        let asked = grpc_timeout(request.headers());
        if let Some(deadline) = asked.and_then(|asked| call.started.checked_add(asked)) {
            request.extensions_mut().insert(CallDeadline(deadline));
        }
        let longest = limits.of.timeout;
        let is_cut_short = asked.is_none_or(|asked| asked > longest);
        // Of a stream, until it begins; after that its caller's own deadline ends it.
        let deadline = call.started + asked.map_or(longest, |asked| asked.min(longest));
        if let Ok(Place::Of(_)) = admitted
            && let Some(in_flight) = call.hand_over()
        {
            request.extensions_mut().insert(in_flight);
        }
        let request = match admitted {
            Ok(_) => self.received(request),
            // Nothing of it is kept.
            Err(_) => request,
        };
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let span = call.span();

        let work = async move {
            // A timer would let it begin first, and is good to a millisecond.
            let in_time = |slot| {
                let in_time = Instant::now() < deadline;
                in_time.then_some(slot).ok_or(Failure::DeadlineExceeded)
            };
            let result = match admitted.and_then(in_time) {
                Ok(place) => {
                    let answered = tokio::select! {
                        biased;
                        answered = guarded(inner.call(request), deadline) => answered,
                        () = ending.cancelled() => Err(Failure::UseCase(Error::ShuttingDown)),
                    };
                    answered.map(|answer| place.until_it_ends(answer))
                }
                Err(failure) => {
                    let unread = read_away(request.into_body());
                    // Whoever takes their time with it is not waited for.
                    let _ = tokio::time::timeout(UNREAD_MAX, unread).await;
                    if let Failure::RateLimited(_) = failure {
                        // In time, too.
                        let half = deadline.saturating_duration_since(call.started) / 2;
                        let told = call.started + half.min(limits.refused_after());
                        tokio::time::sleep_until(told).await;
                    }
                    Err(failure)
                }
            };
            let response = match result {
                Ok(mut response) => {
                    explain(response.headers_mut());
                    match in_our_words(response.headers()) {
                        Some(failure) => Err(limits.refused(Limit::RequestBytes, failure)),
                        None => Ok(response),
                    }
                }
                Err(Failure::DeadlineExceeded) if is_cut_short => {
                    Err(limits.refused(Limit::CallTimeout, Failure::DeadlineExceeded))
                }
                failed => failed,
            };
            let response = response.unwrap_or_else(|failure| status(failure, &*ids).into_http());
            Ok(call.answered(response))
        };
        Box::pin(work.instrument(span))
    }
}

impl Place {
    fn until_it_ends(self, answer: Response<Body>) -> Response<Body> {
        match self {
            Self::Of(slot) => {
                drop(slot);
                answer
            }
            Self::Public(slot) => slot.beside(answer),
        }
    }
}

/// Runs a call until its deadline; a panic of it is its own, and nobody else's.
async fn guarded(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    deadline: Instant,
) -> Result<Response<Body>, Failure> {
    let call = AssertUnwindSafe(call).catch_unwind();
    match tokio::time::timeout_at(deadline, call).await {
        Ok(Ok(Ok(response))) => Ok(response),
        Ok(Err(_)) => Err(Failure::Panicked),
        Err(_) => Err(Failure::DeadlineExceeded),
    }
}

/// Takes in what was sent with a call that is turned away.
///
/// Answered before, its stream would be reset. Where many are, HTTP/2 ends the connection
/// (<https://www.rfc-editor.org/rfc/rfc9113#name-enhance_your_calm>), and with it the calls of
/// everybody else whom a gateway has put on it.
async fn read_away(body: Body) {
    let mut body = pin!(body);
    let mut read = 0;
    while read <= UNREAD_BYTES_MAX
        && let Some(Ok(frame)) = poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn metadata_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32)
        .sum()
}

/// How long a caller waits: at most 8 digits and a unit, as
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md> has it.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 60 * 60)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_the_protocol_writes_it() {
        let check = |text: &str, expected: Option<Duration>| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(grpc_timeout(&headers), expected, "{text:?}");
        };
        check("1H", Some(Duration::from_hours(1)));
        check("2M", Some(Duration::from_mins(2)));
        check("3S", Some(Duration::from_secs(3)));
        check("99999999m", Some(Duration::from_millis(99_999_999)));
        check("5u", Some(Duration::from_micros(5)));
        check("6n", Some(Duration::from_nanos(6)));
        check("123456789m", None);
        check("m", None);
        check("-1S", None);
        check("1s", None);
    }
}
