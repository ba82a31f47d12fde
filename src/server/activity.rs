//! What happens on one connection.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::guests::Guest;

/// The calls of a connection.
pub(super) struct Activity {
    guest: Guest,
    under_way: AtomicUsize,
    opened: Instant,
    /// When the last call ended, in microseconds after `opened`.
    last_end: AtomicU64,
}

/// A call under way, until its answer has been sent or given up.
pub(super) struct Call(Arc<Activity>);

impl Activity {
    pub(super) fn of(guest: Guest) -> Arc<Self> {
        Arc::new(Self {
            guest,
            under_way: AtomicUsize::new(0),
            opened: Instant::now(),
            last_end: AtomicU64::new(0),
        })
    }

    pub(super) fn begin(self: &Arc<Self>) -> Call {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Call(Arc::clone(self))
    }

    /// Notes that a call was somebody's.
    pub(super) fn note_caller(&self) {
        self.guest.note_call();
    }

    /// Whether a call was somebody's.
    pub(super) fn has_caller(&self) -> bool {
        self.guest.has_called()
    }

    /// Waits until there has been no call for so long.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut look_at = self.opened + limit;
        loop {
            tokio::time::sleep_until(look_at).await;
            let now = Instant::now();
            look_at = if self.under_way.load(Ordering::Relaxed) > 0 {
                now + limit
            } else {
                let last_end = Duration::from_micros(self.last_end.load(Ordering::Relaxed));
                self.opened + last_end + limit
            };
            if look_at <= now {
                return;
            }
        }
    }

    /// Waits until the connection has to make room for another one.
    pub(super) async fn let_go(&self) {
        self.guest.let_go().await;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let after = u64::try_from(self.0.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.last_end.fetch_max(after, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer, during which its call is under way.
pub(super) struct Answer<B> {
    body: B,
    _call: Call,
}

impl<B> Answer<B> {
    pub(super) fn of(call: Call, body: B) -> Self {
        Self { body, _call: call }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
