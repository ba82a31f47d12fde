//! Watches beside the model's log: which events come, in which order, and what they say.

use letterbox::pb::watch_messages_response::Event;

use super::{tenant::Pair, words};
use crate::{
    reference::{Kind, Names, Watch, Watcher},
    support::{self, Client, WatchMessagesRequest, WatchScope},
};

/// A watch that stands, and how far it has been read.
pub(super) struct Standing {
    watch: support::Watch,
    asked: Watch,
    /// The position of the last event received, or that of the token it began with.
    position: usize,
}

impl Standing {
    /// Begins a watch, after a token and its position or from now on.
    pub(super) async fn begin(
        pair: &mut Pair,
        client: &Client,
        asked: Watch,
        from: Option<(String, usize)>,
    ) -> Self {
        let (token, position) = from.unwrap_or((String::new(), pair.position()));
        let watch = client
            .watch_with(request(&pair.names, &asked, &token))
            .await;
        if !token.is_empty() {
            assert_eq!(
                watch.ready_token, token,
                "a resumed watch is ready where it resumes"
            );
        }
        pair.tokens.push((watch.ready_token.clone(), position));
        Self {
            watch,
            asked,
            position,
        }
    }

    /// Drops the watch and resumes it from the last token that it has received.
    pub(super) async fn resume(&mut self, pair: &Pair, client: &Client) {
        let request = request(&pair.names, &self.asked, &self.watch.token);
        self.watch = client.watch_with(request).await;
    }

    /// Receives so many of the events that are still to come, and compares each.
    pub(super) async fn receive(&mut self, pair: &mut Pair, count: usize) {
        let expected = pair.model.watched(&self.asked, self.position);
        for position in expected.into_iter().take(count) {
            let delivery = words::delivery(&pair.names, self.watch.event().await);
            // It says how things were at some moment between the event and now.
            let mut states = pair.history[position..].iter();
            let watcher = &self.asked.watcher;
            assert!(
                states.any(|state| state.delivery(position, watcher) == delivery),
                "{:?} received {delivery:#?} for event {position}, which is {:#?}",
                self.asked,
                pair.model.delivery(position, watcher),
            );
            pair.tokens.push((self.watch.token.clone(), position));
            self.position = position;
        }
    }

    /// Receives all that is still to come and that happened before everybody was at rest.
    pub(super) async fn receive_replay(&mut self, pair: &mut Pair) {
        for position in pair.model.watched(&self.asked, self.position) {
            let delivery = words::delivery(&pair.names, self.watch.event().await);
            let expected = pair.model.delivery(position, &self.asked.watcher);
            assert_eq!(delivery, expected, "{:?}: event {position}", self.asked);
            self.position = position;
        }
    }

    /// Makes sure that nothing more comes.
    pub(super) async fn end(&mut self) {
        let next = self.watch.response().await.expect("the watch goes on");
        assert!(
            matches!(next, Event::Heartbeat(_)),
            "{:?} received more than there is: {next:?}",
            self.asked
        );
    }
}

pub(super) fn request(names: &Names, asked: &Watch, token: &str) -> WatchMessagesRequest {
    let thread = asked.thread.map(|thread| words::thread_id(names, thread));
    let kinds: &[Kind] = &asked.kinds;
    WatchMessagesRequest {
        resume_token: token.to_owned(),
        thread_id: thread.unwrap_or_default(),
        kinds: kinds.iter().map(|kind| words::kind(*kind).into()).collect(),
        scope: match asked.watcher {
            Watcher::Own(_) => WatchScope::Own.into(),
            Watcher::AllUsers => WatchScope::AllUsers.into(),
        },
    }
}
