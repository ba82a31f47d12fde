//! Watchers: they resume from their last token wherever a watch ends, and keep all that they see.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use letterbox::pb::watch_messages_response::Event;
use tokio::time::timeout;
use tonic::Status;

use super::{
    accounts::{Saw, Watched},
    clients::LAST,
    crowd::{Connections, Crowd, Ending},
    dice::Dice,
};
use crate::{
    random::words,
    reference::{Delivery, Watcher},
    support::*,
};

/// How often a watcher hears, at least.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(250);

/// How long a watcher waits who hears nothing: three heartbeats, as is documented.
const SILENCE_MAX: Duration = HEARTBEAT.saturating_mul(3);

/// How long a watcher waits before it resumes.
const RESUME_AFTER: Duration = Duration::from_millis(10);

/// A small window: what a watcher does not read has to wait in the server.
const WINDOW_BYTES: u32 = 16 * 1_024;

/// Somebody who watches until the last thread is started.
pub(crate) struct Watching {
    crowd: Arc<Crowd>,
    connections: Connections,
    watcher: Watcher,
    dice: Dice,
    token: String,
    stretches: Vec<Vec<Saw>>,
}

/// How a stream ended.
enum Ended {
    /// It has seen the last thread.
    AtTheEnd,
    /// It is to be resumed.
    Broken,
    /// Its token has expired.
    Expired,
}

impl Watching {
    /// Begins now: what happens from here on is to be seen.
    pub(crate) async fn begin(watcher: Watcher, crowd: &Arc<Crowd>, mut dice: Dice) -> Self {
        let first = dice.index(8);
        let connections = match &watcher {
            Watcher::Own(user) => Connections::new(user, first),
            Watcher::AllUsers => {
                Connections::new("indexer", first).with_scopes("letterbox.watch-all")
            }
        };
        let mut watching = Self {
            crowd: Arc::clone(crowd),
            connections: connections.with_window(WINDOW_BYTES),
            watcher,
            dice,
            token: String::new(),
            stretches: vec![Vec::new()],
        };
        let client = watching.connections.next(crowd);
        watching.token = client.watch_with(watching.request()).await.ready_token;
        watching
    }

    /// Sees everything up to the last thread.
    pub(crate) async fn watch(mut self) -> Watched {
        loop {
            match self.read().await {
                Ended::AtTheEnd => {
                    return Watched {
                        watcher: self.watcher,
                        stretches: self.stretches,
                    };
                }
                Ended::Broken => {}
                Ended::Expired => self.list_again().await,
            }
            tokio::time::sleep(RESUME_AFTER).await;
        }
    }

    fn request(&self) -> WatchMessagesRequest {
        let scope = match self.watcher {
            Watcher::Own(_) => WatchScope::Own,
            Watcher::AllUsers => WatchScope::AllUsers,
        };
        WatchMessagesRequest {
            resume_token: self.token.clone(),
            scope: scope.into(),
            ..Default::default()
        }
    }

    /// Begins anew, where what is there now is known.
    async fn list_again(&mut self) {
        self.stretches.push(Vec::new());
        loop {
            let client = self.connections.next(&self.crowd);
            let listed = client.list_inbox(ListInboxRequest::default());
            match timeout(SILENCE_MAX, listed).await {
                Ok(Ok(listed)) => {
                    self.token = listed.resume_token;
                    return;
                }
                Ok(Err(status)) => {
                    self.crowd.ending(&status);
                }
                Err(_) => {}
            }
            tokio::time::sleep(RESUME_AFTER).await;
        }
    }

    async fn read(&mut self) -> Ended {
        let client = self.connections.next(&self.crowd);
        let mut responses = match timeout(SILENCE_MAX, client.watch_messages(self.request())).await
        {
            Ok(Ok(responses)) => responses,
            Ok(Err(status)) => return self.ended(&status),
            Err(_) => return Ended::Broken,
        };
        // Now and then a watcher comes back for no reason.
        let mut left = 20 + self.dice.below(400);
        let mut reading = self.crowd.reading.subscribe();
        while left > 0 {
            left -= 1;
            if reading.wait_for(|reading| *reading).await.is_err() {
                return Ended::Broken;
            }
            let response = match timeout(SILENCE_MAX, responses.message()).await {
                Ok(Ok(Some(response))) => response,
                Ok(Ok(None)) => panic!("a watch ends with an error only"),
                Ok(Err(status)) => return self.ended(&status),
                Err(_) => return Ended::Broken,
            };
            if self.take(response) {
                return Ended::AtTheEnd;
            }
        }
        Ended::Broken
    }

    fn ended(&self, status: &Status) -> Ended {
        match self.crowd.ending(status) {
            Ending::Expired => Ended::Expired,
            Ending::Unavailable | Ending::Refused => Ended::Broken,
        }
    }

    /// Takes a response; says whether it is the last one.
    fn take(&mut self, response: WatchMessagesResponse) -> bool {
        let event = response.event.expect("a known event");
        self.token.clone_from(&response.resume_token);
        let stretch = self.stretches.len() - 1;
        match event {
            Event::Ready(_) => return false,
            // Begun anew after the last thread: there is nothing to wait for.
            Event::Heartbeat(_) => {
                return stretch > 0
                    && self.stretches[stretch].is_empty()
                    && self.crowd.finished.load(Ordering::SeqCst);
            }
            _ => {}
        }
        let actor = words::actor(&event);
        let delivery = words::delivery(&self.crowd.names, event);
        let is_last = matches!(&delivery, Delivery::Sent { thread, .. } if thread.subject == LAST);
        self.stretches[stretch].push(Saw {
            token: response.resume_token,
            actor,
            delivery,
        });
        is_last
    }
}
