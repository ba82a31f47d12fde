//! How much of requests is in memory before they are read to their ends.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    Limits,
    bound::{Bound, Slot},
};
use crate::{grpc::status::status, messenger::Error, metrics::Limit, model::Ids};

/// A request's message as it comes: each piece takes room from all.
pub(in crate::grpc) struct Received {
    body: Body,
    limits: Arc<Limits>,
    ids: Arc<dyn Ids>,
    slots: Slot,
}

impl Received {
    pub(in crate::grpc) fn of(body: Body, limits: Arc<Limits>, ids: Arc<dyn Ids>) -> Self {
        Self {
            body,
            slots: Bound::nothing(&limits.receiving),
            limits,
            ids,
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        if bytes > 0 && !self.slots.take_more(bytes) {
            let failure = Error::Overloaded.into();
            let failure = self.limits.refused(Limit::ReceivingBytes, failure);
            return Poll::Ready(Some(Err(status(failure, &*self.ids))));
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
