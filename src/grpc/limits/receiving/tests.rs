//! A request as it comes, frame by frame.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    task::Waker,
    time::Duration,
};

use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::{
    grpc::CallLimits,
    metrics::Metrics,
    model::{TenantId, UserId},
};

struct NoIds;

impl Ids for NoIds {
    fn next(&self) -> Uuid {
        Uuid::nil()
    }
}

/// What a client has sent so far, and whether that is all.
#[derive(Default)]
struct Sent {
    frames: VecDeque<Vec<u8>>,
    has_ended: bool,
}

/// The client's side of a request.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Sent>>);

impl Wire {
    fn send(&self, bytes: impl Into<Vec<u8>>) {
        self.sent(|sent| sent.frames.push_back(bytes.into()));
    }

    fn end(&self) {
        self.sent(|sent| sent.has_ended = true);
    }

    fn sent<T>(&self, what: impl FnOnce(&mut Sent) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for Wire {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.sent(|sent| match sent.frames.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
            None if sent.has_ended => Poll::Ready(None),
            None => Poll::Pending,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.sent(|sent| sent.frames.is_empty() && sent.has_ended)
    }
}

fn limits(receiving_bytes: usize) -> Arc<Limits> {
    let of = CallLimits {
        request_bytes: 1_000,
        content_bytes: 1_000,
        receiving_bytes: NonZeroUsize::new(receiving_bytes).unwrap(),
        calls: NonZeroUsize::MAX,
        timeout: Duration::MAX,
        user_rate: None,
        watches: NonZeroUsize::MAX,
        user_watches: None,
    };
    Limits::new(of, Metrics::new())
}

/// A request of a user's that comes over the wire.
fn request(limits: &Arc<Limits>, user: &str) -> (Wire, Received) {
    let caller = Caller {
        tenant: TenantId::parse("shop").unwrap(),
        user: UserId::parse(user).unwrap(),
    };
    let (wire, ids) = (Wire::default(), Arc::new(NoIds) as Arc<dyn Ids>);
    let received = Received::of(caller, Body::new(wire.clone()), limits, &ids);
    (wire, received)
}

/// A message of so many bytes, in its frame.
fn message(length: u32) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(length.to_be_bytes());
    bytes.resize(bytes.len() + length as usize, 7);
    bytes
}

/// What is handed on: data, or the code of a refusal.
fn next(received: &mut Received) -> Poll<Option<Result<Vec<u8>, Code>>> {
    let mut context = Context::from_waker(Waker::noop());
    let frame = Pin::new(received).poll_frame(&mut context);
    frame
        .map_ok(|frame| frame.into_data().expect("data").to_vec())
        .map_err(|status| status.code())
}

#[test]
fn nothing_of_a_message_is_handed_on_before_the_request_has_ended() {
    let (wire, mut received) = request(&limits(10_000), "ana");
    assert_eq!(next(&mut received), Poll::Pending);
    for byte in message(300) {
        wire.send([byte]);
        assert_eq!(next(&mut received), Poll::Pending);
    }
    wire.end();
    assert_eq!(next(&mut received), Poll::Ready(Some(Ok(message(300)))));
    assert_eq!(next(&mut received), Poll::Ready(None));
}

#[test]
fn a_message_that_comes_with_the_end_is_handed_on_as_it_is() {
    let limits = limits(1);
    let (wire, mut received) = request(&limits, "ana");
    wire.send(message(300));
    wire.end();
    assert_eq!(next(&mut received), Poll::Ready(Some(Ok(message(300)))));
    assert_eq!(next(&mut received), Poll::Ready(None));
}

#[test]
fn more_than_the_largest_message_is_refused_when_it_comes_or_is_said() {
    let too_large = Poll::Ready(Some(Err(Code::ResourceExhausted)));
    let limits = limits(10_000);
    let (wire, mut goes_on) = request(&limits, "ana");
    for _ in 0..100 {
        wire.send(message(5));
    }
    assert_eq!(next(&mut goes_on), Poll::Pending);
    wire.send(message(5));
    assert_eq!(next(&mut goes_on), too_large);

    let (wire, mut said) = request(&limits, "ana");
    wire.send(&message(1_001)[..5]);
    assert_eq!(next(&mut said), too_large);
}

#[test]
fn one_user_takes_a_part_of_the_memory_and_gives_it_back() {
    let limits = limits(8_000);
    let wait = |user| {
        let (wire, mut received) = request(&limits, user);
        wire.send(&message(1_000)[..900]);
        (next(&mut received), received)
    };
    let overloaded = Poll::Ready(Some(Err(Code::Unavailable)));
    let (first, of_ana) = wait("ana");
    assert_eq!((first, wait("ana").0), (Poll::Pending, overloaded));
    assert_eq!(wait("ben").0, Poll::Pending);
    drop(of_ana);
    assert_eq!(wait("ana").0, Poll::Pending);
}
