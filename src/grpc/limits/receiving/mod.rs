//! A request's message while it comes: where it waits, and how much of such there is in memory.

use std::{
    mem,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    Limits,
    bound::{Bound, Slot},
    shares::{Share, Shares},
};
use crate::{
    grpc::status::{Failure, status},
    messenger::{Caller, Error},
    metrics::Limit,
    model::Ids,
};

/// What stands before a message: whether it is compressed, and four bytes of its length
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
const PREFIX_BYTES: usize = 5;

/// Which part of all one user's requests may take, as of the writer's queue.
const OF_A_USER: usize = 8;

/// Memory for what waits for the rest of its request.
pub(super) struct Receiving {
    all: Arc<Bound>,
    of_users: Arc<Shares>,
}

/// What one request takes of it.
struct Room {
    of_all: Slot,
    of_user: Share,
}

impl Receiving {
    pub(super) fn of(max: NonZeroUsize) -> Self {
        Self {
            all: Bound::of(max),
            of_users: Shares::of(max.get() / OF_A_USER),
        }
    }

    fn nothing(&self, caller: Caller) -> Room {
        Room {
            of_all: Bound::nothing(&self.all),
            of_user: Shares::nothing(&self.of_users, caller),
        }
    }
}

impl Room {
    fn take_more(&mut self, bytes: usize) -> bool {
        self.of_user.take_more(bytes) && self.of_all.take_more(bytes)
    }
}

/// The body of a call that takes one message; it is handed on once all of it is there.
///
/// Decoded, a message can take many times the memory of its bytes, and would be held until the
/// request has ended. It is kept in one piece of our own, since the smallest of HTTP/2's frames
/// holds on to all of what was read with it.
pub(in crate::grpc) struct Received {
    body: Body,
    /// Of the message, without what stands before it.
    bytes_max: usize,
    held: Vec<u8>,
    is_whole: bool,
    trailers: Option<Frame<Bytes>>,
    /// Who takes the room; none: it is too little to be counted.
    caller: Option<Caller>,
    room: Option<Room>,
    counted: usize,
    limits: Arc<Limits>,
    ids: Arc<dyn Ids>,
}

impl Received {
    /// That of a caller's request, which takes room from all.
    pub(in crate::grpc) fn of(
        caller: Caller,
        body: Body,
        limits: &Arc<Limits>,
        ids: &Arc<dyn Ids>,
    ) -> Self {
        Self::new(Some(caller), limits.of.request_bytes, body, limits, ids)
    }

    /// That of a request which is as small as this.
    pub(in crate::grpc) fn small(
        bytes_max: usize,
        body: Body,
        limits: &Arc<Limits>,
        ids: &Arc<dyn Ids>,
    ) -> Self {
        Self::new(None, bytes_max, body, limits, ids)
    }

    fn new(
        caller: Option<Caller>,
        bytes_max: usize,
        body: Body,
        limits: &Arc<Limits>,
        ids: &Arc<dyn Ids>,
    ) -> Self {
        Self {
            body,
            bytes_max,
            held: Vec::new(),
            is_whole: false,
            trailers: None,
            caller,
            room: None,
            counted: 0,
            limits: Arc::clone(limits),
            ids: Arc::clone(ids),
        }
    }

    /// Waits for the end; what is whole in one frame is returned at once.
    fn poll_whole(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        while !self.is_whole {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                // Only what waits is counted, so that most requests are not.
                let counted = self.count();
                return counted.map_or_else(|failure| self.refuse(failure), |()| Poll::Pending);
            };
            let Some(frame) = frame.transpose()? else {
                self.is_whole = true;
                break;
            };
            match frame.into_data() {
                Ok(data) if self.held.is_empty() && self.body.is_end_stream() => {
                    self.is_whole = true;
                    return Poll::Ready(Ok(Some(data)));
                }
                Ok(data) => {
                    if let Err(failure) = self.hold(&data) {
                        return self.refuse(failure);
                    }
                }
                Err(trailers) => {
                    self.is_whole = true;
                    self.trailers = Some(trailers);
                }
            }
        }
        let held = mem::take(&mut self.held);
        Poll::Ready(Ok((!held.is_empty()).then(|| held.into())))
    }

    /// Keeps what has come, unless it is more than one message may be, or says that it will be.
    fn hold(&mut self, data: &[u8]) -> Result<(), Failure> {
        let most = PREFIX_BYTES.saturating_add(self.bytes_max);
        let length = self.held.len() + data.len();
        if length > most {
            return Err(self.too_large());
        }
        if length > self.held.capacity() {
            let said = self.said().filter(|said| length <= *said).unwrap_or(most);
            let capacity = length.saturating_mul(2).min(said);
            self.held.reserve_exact(capacity - self.held.len());
        }
        self.held.extend_from_slice(data);
        match self.said() {
            Some(said) if said > most => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    /// How large the message says that it is, with what stands before it.
    fn said(&self) -> Option<usize> {
        let length = self.held.get(1..PREFIX_BYTES)?.try_into().ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        PREFIX_BYTES.checked_add(length)
    }

    fn too_large(&self) -> Failure {
        self.limits.refused(Limit::RequestBytes, Failure::TooLarge)
    }

    /// Takes room for what is held.
    fn count(&mut self) -> Result<(), Failure> {
        let more = self.held.capacity().saturating_sub(self.counted);
        let Some(caller) = self.caller.as_ref().filter(|_| more > 0) else {
            return Ok(());
        };
        let room = self
            .room
            .get_or_insert_with(|| self.limits.receiving.nothing(caller.clone()));
        if !room.take_more(more) {
            let failure = Error::Overloaded.into();
            return Err(self.limits.refused(Limit::ReceivingBytes, failure));
        }
        self.counted += more;
        Ok(())
    }

    fn refuse<T>(&self, failure: Failure) -> Poll<Result<T, Status>> {
        Poll::Ready(Err(status(failure, &*self.ids)))
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.is_whole {
            match self.poll_whole(context) {
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(whole) => {
                    return Poll::Ready(whole.transpose().map(|data| data.map(Frame::data)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        match self.trailers.take() {
            Some(trailers) => Poll::Ready(Some(Ok(trailers))),
            // Where it said too early that it had ended, the rest comes as it comes.
            None => Pin::new(&mut self.body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.trailers.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests;
