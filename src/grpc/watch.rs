//! From the feed's deliveries to a stream of responses.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{
    auth::{BadCredentials, TurnedAway},
    call::CallDeadline,
    limits::WatchSlot,
    observed::InFlight,
    pb::{self, Encoded, watch_messages_response::Event},
    response::{Viewer, user_ids},
    status::{Failure, status},
    token::TokenKey,
};
use crate::{
    messenger::{Deliveries, Delivery, Error},
    model::{EventBody, Ids, LogPosition, LogReader, LoggedEvent, TenantId},
};

/// The responses of one watch.
pub(super) type WatchStream = Pin<Box<dyn Stream<Item = Result<Encoded, Status>> + Send>>;

/// What a watch's responses are built with.
pub(super) struct Responses {
    /// Whose events they are.
    pub(super) reader: LogReader,
    /// For whom.
    pub(super) viewer: Viewer,
    pub(super) tenant: TenantId,
    pub(super) tokens: TokenKey,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) heartbeat_interval: Duration,
    pub(super) _counted: Counted,
}

/// What is counted of a watch while it stands: until its watcher ends or its stream does, whichever is first.
///
/// A stream that its client does not read is asked for nothing, and so does not learn that its watcher has
/// ended; and a watcher that waits for the database does not learn that its stream has.
pub(super) struct Counted(Arc<Mutex<Option<Counts>>>);

/// Against the limits, and as under way.
type Counts = (WatchSlot, Option<InFlight>);

impl Counted {
    /// One of it for each of the two.
    pub(super) fn until_either_ends(slot: WatchSlot, in_flight: Option<InFlight>) -> [Self; 2] {
        let counted = Arc::new(Mutex::new(Some((slot, in_flight))));
        [Self(Arc::clone(&counted)), Self(counted)]
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(counted);
    }
}

/// The stream of one watch; it ends at the call's deadline, where there is one, and when the
/// caller's token expires.
pub(super) fn watch_stream(
    deliveries: Deliveries,
    responses: Responses,
    deadline: Option<CallDeadline>,
    expires: Option<Instant>,
) -> WatchStream {
    let (ids, ids_of_panics) = (Arc::clone(&responses.ids), Arc::clone(&responses.ids));
    let deadline = deadline.map(|CallDeadline(deadline)| deadline);
    let end = deadline.into_iter().chain(expires).min();
    let passed = async move {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let in_time = ReceiverStream::new(deliveries).take_until(passed);
    // Why deliveries end is said by the last of them, and nobody looks further; where they just
    // end, the watcher was too slow, or too late.
    let cut_off = stream::once(async move {
        let is_past = |end: Option<Instant>| end.is_some_and(|end| Instant::now() >= end);
        let failure = if is_past(deadline) {
            Failure::DeadlineExceeded
        } else if is_past(expires) {
            Failure::TurnedAway(TurnedAway::Unknown(BadCredentials::Expired))
        } else {
            Error::Stalled.into()
        };
        Err(status(failure, &*ids))
    });
    let in_time = in_time.flat_map(move |delivery| stream::iter(responses.responses(delivery)));
    // A panic is this watch's, and nobody else's.
    let guarded = AssertUnwindSafe(in_time.chain(cut_off)).catch_unwind();
    Box::pin(guarded.map(move |response| {
        response.unwrap_or_else(|_| Err(status(Failure::Panicked, &*ids_of_panics)))
    }))
}

impl Responses {
    fn responses(&self, delivery: Result<Delivery, Error>) -> Vec<Result<Encoded, Status>> {
        let response = match delivery {
            Ok(Delivery::Ready(position)) => {
                let heartbeat_interval = prost_types::Duration::try_from(self.heartbeat_interval);
                let ready = pb::WatchReady {
                    heartbeat_interval: heartbeat_interval.ok(),
                };
                Ok(self.at(position, Event::Ready(ready)))
            }
            Ok(Delivery::Heartbeat(position)) => {
                Ok(self.at(position, Event::Heartbeat(pb::Heartbeat {})))
            }
            Ok(Delivery::Events(events)) => {
                let told = |event: &Arc<LoggedEvent>| Ok(self.told(event));
                return events.iter().map(told).collect();
            }
            Err(error) => Err(status(error.into(), &*self.ids)),
        };
        vec![response]
    }

    /// What the watch's reader is told of an event.
    fn told(&self, event: &LoggedEvent) -> Encoded {
        let encode = || self.at(event.position, self.event(event));
        match self.viewer {
            Viewer::OfAll => {
                let encodings = &event.encodings;
                encodings
                    .of(self.is_sender(event), || encode().into())
                    .into()
            }
            // With an address that nobody else sees. Kept for each, they could be as many as a
            // thread's participants, for as long as the slowest of these takes.
            Viewer::Only(_) => encode(),
        }
    }

    /// Whether the watch is its sender's own.
    fn is_sender(&self, event: &LoggedEvent) -> bool {
        match (&self.reader, &event.body) {
            (LogReader::User(user), EventBody::MessageSent { message, .. }) => {
                *user == message.sender.id
            }
            _ => false,
        }
    }

    fn at(&self, position: LogPosition, event: Event) -> Encoded {
        Encoded::of(&pb::WatchMessagesResponse {
            resume_token: self.tokens.resume_token(&self.tenant, position),
            event: Some(event),
        })
    }

    fn event(&self, event: &LoggedEvent) -> Event {
        match event.body.clone() {
            EventBody::MessageSent {
                message,
                thread,
                recipients,
                request_id,
            } => {
                let request_id = request_id.filter(|_| self.is_sender(event));
                Event::MessageSent(pb::MessageSent {
                    reply: message.number > 1,
                    message: Some(self.viewer.message(message)),
                    thread: Some(self.viewer.thread(thread)),
                    recipient_ids: user_ids(&recipients),
                    request_id: request_id.map(|id| id.to_string()).unwrap_or_default(),
                })
            }
            EventBody::MessageEdited { message, thread } => {
                Event::MessageEdited(pb::MessageEdited {
                    message: Some(self.viewer.message(message)),
                    thread: Some(self.viewer.thread(thread)),
                })
            }
            EventBody::ThreadChanged { view, user } => Event::ThreadChanged(pb::ThreadChanged {
                view: Some(self.viewer.view(view)),
                user_id: user.as_str().to_owned(),
            }),
        }
    }
}
