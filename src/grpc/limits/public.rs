//! How many calls of public services are under way, which ask nobody who they are.

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::bound::{Bound, Slot};

/// How many there may be on one connection. A client that watches health has one of them.
const OF_CONNECTION_MAX: NonZeroUsize = NonZeroUsize::new(32).expect("more than nothing");

/// How many there may be in the process besides one on each connection.
const OTHERS_MAX: NonZeroUsize = NonZeroUsize::new(1_000).expect("more than nothing");

/// Those of the process.
///
/// However many somebody begins, on every other connection there can be one.
pub(super) struct Public {
    others: Arc<Bound>,
}

/// Those of one connection.
#[derive(Clone)]
pub struct PublicCalls(Arc<Bound>);

/// One of them, until this is dropped.
pub(crate) struct PublicSlot {
    _of_connection: Option<Slot>,
    _of_others: Option<Slot>,
}

impl Default for PublicCalls {
    fn default() -> Self {
        Self(Bound::of(OF_CONNECTION_MAX))
    }
}

impl Public {
    pub(super) fn new() -> Self {
        Self {
            others: Bound::of(OTHERS_MAX),
        }
    }

    /// One more call on a connection, if there is room for it.
    pub(super) fn take(&self, connection: Option<&PublicCalls>) -> Option<PublicSlot> {
        let of_connection = match connection {
            Some(PublicCalls(calls)) => Some(calls.take()?),
            None => None,
        };
        let is_only = connection.is_some_and(|PublicCalls(calls)| calls.taken() == 1);
        let of_others = if is_only {
            None
        } else {
            Some(self.others.take()?)
        };
        Some(PublicSlot {
            _of_connection: of_connection,
            _of_others: of_others,
        })
    }
}

impl PublicSlot {
    /// Lasts as long as the answer does.
    pub(in crate::grpc) fn beside(self, answer: Response<Body>) -> Response<Body> {
        answer.map(|body| Body::new(Answer { body, _slot: self }))
    }
}

struct Answer {
    body: Body,
    _slot: PublicSlot,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_all_that_there_may_be_leaves_one_for_each_other_connection() {
        let public = Public::new();
        let mut held = Vec::new();
        let mut connections = 0;
        while held.len() < OTHERS_MAX.get() + connections {
            let connection = PublicCalls::default();
            connections += 1;
            held.extend(std::iter::from_fn(|| public.take(Some(&connection))));
        }
        let quiet = PublicCalls::default();
        let first = public.take(Some(&quiet));
        assert!(first.is_some());
        assert!(public.take(Some(&quiet)).is_none());
        drop(first);
        assert!(public.take(Some(&quiet)).is_some());
        drop(held);
        let of_one = std::iter::from_fn(|| public.take(Some(&quiet)));
        assert_eq!(
            of_one.take(100).collect::<Vec<_>>().len(),
            OF_CONNECTION_MAX.get()
        );
    }
}
