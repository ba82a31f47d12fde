//! A watch that a test reads step by step.

use std::time::Duration;

use letterbox::pb::{
    MessageEdited, MessageSent, Placement, ThreadChanged, WatchMessagesRequest,
    WatchMessagesResponse, watch_messages_response::Event,
};
use tonic::{Code, Status, Streaming};

use super::{Client, MessageText, Refusal, ViewText, assert_invalid, assert_refused, soon};

/// A watch that stands.
pub(crate) struct Watch {
    responses: Streaming<WatchMessagesResponse>,
    /// The token of `ready`.
    pub(crate) ready_token: String,
    /// The token of the last response read.
    pub(crate) token: String,
    /// The interval that `ready` has named.
    pub(crate) heartbeat_interval: Duration,
}

impl Watch {
    /// Begins a watch and takes its first response, which has to be `ready`.
    pub(super) async fn begin(
        client: &Client,
        request: WatchMessagesRequest,
    ) -> Result<Self, Status> {
        let begin = async {
            let mut responses = client.watch_messages(request).await?;
            let first = responses.message().await?;
            let first = first.expect("a watch begins with a response");
            Ok::<_, Status>((first, responses))
        };
        let (first, responses) = soon("a watch to begin", begin).await?;
        let Some(Event::Ready(ready)) = first.event else {
            panic!("a watch began with {first:?} instead of `ready`");
        };
        let interval = ready
            .heartbeat_interval
            .expect("`ready` names its interval");
        assert_ne!(first.resume_token, "", "every response carries a token");
        Ok(Self {
            responses,
            ready_token: first.resume_token.clone(),
            token: first.resume_token,
            heartbeat_interval: interval.try_into().expect("an interval is positive"),
        })
    }

    /// The next response, of any kind.
    pub(crate) async fn response(&mut self) -> Result<Event, Status> {
        let response = soon("a response", self.responses.message()).await?;
        let response = response.expect("a watch ends with an error only");
        assert_ne!(response.resume_token, "", "every response carries a token");
        self.token = response.resume_token;
        let event = response.event.expect("this version has no unknown events");
        assert!(
            !matches!(event, Event::Ready(_)),
            "only the first response is `ready`"
        );
        Ok(event)
    }

    /// The next event; heartbeats are passed over.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.response().await.expect("the watch goes on") {
                Event::Heartbeat(_) => {}
                event => return event,
            }
        }
    }

    /// The next event, which has to be a message that was sent.
    pub(crate) async fn sent(&mut self) -> MessageSent {
        match self.event().await {
            Event::MessageSent(sent) => sent,
            other => panic!("expected a message that was sent, got {}", line(&other)),
        }
    }

    /// The next event, which has to be an edit.
    pub(crate) async fn edited(&mut self) -> MessageEdited {
        match self.event().await {
            Event::MessageEdited(edited) => edited,
            other => panic!("expected an edit, got {}", line(&other)),
        }
    }

    /// The next event, which has to be a change of a view.
    pub(crate) async fn changed(&mut self) -> ThreadChanged {
        match self.event().await {
            Event::ThreadChanged(changed) => changed,
            other => panic!("expected a changed view, got {}", line(&other)),
        }
    }

    /// The next events, each as a line (see [`line`]).
    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::with_capacity(count);
        while lines.len() < count {
            lines.push(line(&self.event().await));
        }
        lines
    }

    /// The next event, as a line.
    pub(crate) async fn line(&mut self) -> String {
        line(&self.event().await)
    }

    /// Waits for a heartbeat, passing over what else comes.
    pub(crate) async fn heartbeat(&mut self) {
        soon("a heartbeat", async {
            loop {
                if let Event::Heartbeat(_) = self.response().await.expect("the watch goes on") {
                    return;
                }
            }
        })
        .await;
    }

    /// Reads to the end; how the watch ended, and the lines of the events before.
    pub(crate) async fn end(&mut self) -> (Vec<String>, Status) {
        let mut lines = Vec::new();
        loop {
            match self.response().await {
                Ok(Event::Heartbeat(_)) => {}
                Ok(event) => lines.push(line(&event)),
                Err(status) => return (lines, status),
            }
        }
    }
}

/// An event in short: `ana sent plans 1: Lunch?`, `ben replied in plans 2: Yes`,
/// `ana edited plans 1: Dinner?`, `plans for ben: inbox, read 2, unread 0`, `heartbeat`.
fn line(event: &Event) -> String {
    match event {
        Event::Ready(_) => "ready".to_owned(),
        Event::Heartbeat(_) => "heartbeat".to_owned(),
        Event::MessageSent(sent) => {
            let message = sent.message.as_ref().expect("a message");
            let verb = if sent.reply { "replied in" } else { "sent" };
            described(message, verb, sent.thread.as_ref())
        }
        Event::MessageEdited(edited) => {
            let message = edited.message.as_ref().expect("a message");
            described(message, "edited", edited.thread.as_ref())
        }
        Event::ThreadChanged(changed) => {
            let view = changed.view.as_ref().expect("a view");
            let placement = match view.placement() {
                Placement::Inbox => "inbox",
                Placement::Started => "started",
                Placement::Deleted => "deleted",
                Placement::Unspecified => "nowhere",
            };
            format!(
                "{} for {}: {placement}, read {}, unread {}",
                view.subject(),
                changed.user_id,
                view.read_number,
                view.unread_count
            )
        }
    }
}

fn described(message: &super::Message, verb: &str, thread: Option<&super::Thread>) -> String {
    let thread = thread.expect("an event of a message carries its thread");
    assert_eq!(message.thread_id, thread.id);
    let (sender, number, content) = (message.sender_id(), message.number, &message.content);
    format!("{sender} {verb} {} {number}: {content}", thread.subject)
}

/// Checks that a watch is refused with this code and reason.
pub(crate) async fn assert_watch_refused(
    client: &Client,
    request: WatchMessagesRequest,
    code: Code,
    reason: &str,
) -> Refusal {
    let begun = Watch::begin(client, request).await;
    assert_refused(begun.map(|watch| watch.ready_token), code, reason)
}

/// Checks that a watch's request is found malformed in these fields.
pub(crate) async fn assert_watch_invalid(
    client: &Client,
    request: WatchMessagesRequest,
    fields: &[&str],
) -> Refusal {
    let begun = Watch::begin(client, request).await;
    assert_invalid(begun.map(|watch| watch.ready_token), fields)
}
