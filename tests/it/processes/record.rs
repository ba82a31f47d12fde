//! What a watcher has seen, in a form that is the same whenever it is seen.

use std::net::SocketAddr;

use letterbox::pb::watch_messages_response::Event;
use tokio::sync::watch;
use tonic::Status;

use super::caller::{Client, client, is_unanswered, next_place};
use crate::support::prelude::*;

/// An event, without what may have changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The token to resume after it, which is its own.
    pub(crate) token: String,
    /// What happened.
    pub(crate) kind: EventKind,
    /// The thread's id.
    pub(crate) thread: String,
    /// The thread's subject.
    pub(crate) subject: String,
    /// The message's number; 0 where it is of none.
    pub(crate) number: i32,
    /// Whose own watches receive it.
    pub(crate) audience: Vec<String>,
}

impl Seen {
    /// Reads a response; none where it is no event.
    pub(crate) fn of(response: WatchMessagesResponse) -> Option<Self> {
        let (kind, thread, number, user) = match response.event.expect("a known event") {
            Event::Ready(_) | Event::Heartbeat(_) => return None,
            Event::MessageSent(sent) => {
                let number = sent.message.expect("a message").number;
                (EventKind::MessageSent, sent.thread, number, None)
            }
            Event::MessageEdited(edited) => {
                let number = edited.message.expect("a message").number;
                (EventKind::MessageEdited, edited.thread, number, None)
            }
            Event::ThreadChanged(changed) => {
                let view = changed.view.expect("a view");
                let user = Some(changed.user_id);
                (EventKind::ThreadChanged, view.thread, 0, user)
            }
        };
        let thread = thread.expect("an event carries its thread");
        let participants = thread.participants.into_iter().map(|user| user.id);
        Some(Self {
            token: response.resume_token,
            kind,
            thread: thread.id,
            subject: thread.subject,
            number,
            audience: user.map_or_else(|| participants.collect(), |user| vec![user]),
        })
    }
}

/// Whose events a watcher sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watcher {
    /// One user's own.
    Own(&'static str),
    /// Everybody's.
    AllUsers,
}

impl Watcher {
    /// A client of this watcher.
    fn client(self, address: SocketAddr) -> Client {
        match self {
            Self::Own(user) => client(address, &[("x-user-id", user)]),
            Self::AllUsers => client(
                address,
                &[
                    ("x-user-id", "indexer"),
                    ("x-user-scopes", "letterbox.watch-all"),
                ],
            ),
        }
    }

    fn request(self, resume_token: &str) -> WatchMessagesRequest {
        let scope = match self {
            Self::Own(_) => WatchScope::Own,
            Self::AllUsers => WatchScope::AllUsers,
        };
        WatchMessagesRequest {
            resume_token: resume_token.to_owned(),
            scope: scope.into(),
            ..Default::default()
        }
    }

    /// Begins a watch from now on; its first token.
    pub(crate) async fn first_token(self, address: SocketAddr) -> String {
        let stream = self
            .client(address)
            .watch_messages(self.request(""))
            .await
            .expect("a watch begins");
        let ready = soon("a response", stream.into_inner().message()).await;
        let ready = ready.expect("a watch begins").expect("a response");
        ready.resume_token
    }

    /// Sees everything after a token, up to the last thread's start, resuming with the last
    /// token wherever the service is started anew.
    pub(crate) async fn follow(
        self,
        mut place: watch::Receiver<SocketAddr>,
        mut token: String,
        last_subject: &str,
    ) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut address = *place.borrow_and_update();
        loop {
            let ended = self.read(address, &mut token, &mut seen, last_subject);
            match ended.await {
                Ok(()) => return seen,
                Err(status) => assert!(is_unanswered(&status), "{self:?}: {status:?}"),
            }
            address = next_place(&mut place).await;
        }
    }

    /// Sees everything after a token, up to the last thread's start, on one stream.
    pub(crate) async fn replay(
        self,
        address: SocketAddr,
        mut token: String,
        last_subject: &str,
    ) -> Vec<Seen> {
        let mut seen = Vec::new();
        let read = self.read(address, &mut token, &mut seen, last_subject);
        read.await.expect("a watch goes on");
        seen
    }

    async fn read(
        self,
        address: SocketAddr,
        token: &mut String,
        seen: &mut Vec<Seen>,
        last_subject: &str,
    ) -> Result<(), Status> {
        let mut client = self.client(address);
        let begun = soon("a watch", client.watch_messages(self.request(token))).await?;
        let mut responses = begun.into_inner();
        loop {
            let response = soon("a response", responses.message()).await?;
            let response = response.expect("a watch ends with an error only");
            token.clone_from(&response.resume_token);
            if let Some(event) = Seen::of(response) {
                let last = event.subject == last_subject;
                seen.push(event);
                if last {
                    return Ok(());
                }
            }
        }
    }
}

/// Checks that nothing was seen twice, and that the messages of each thread come in the order
/// of their numbers, from the first one on, without a gap.
pub(crate) fn assert_in_order(seen: &[Seen]) {
    let mut tokens: Vec<&str> = seen.iter().map(|event| event.token.as_str()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), seen.len(), "an event was seen twice");

    let mut counts = std::collections::HashMap::new();
    for event in seen {
        let count: &mut i32 = counts.entry(&event.thread).or_default();
        match event.kind {
            EventKind::MessageSent => {
                *count += 1;
                assert_eq!(event.number, *count, "{event:?}");
            }
            // What was done to a message comes after it.
            _ => assert!((0..=*count).contains(&event.number), "{event:?}"),
        }
    }
}
