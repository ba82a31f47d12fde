//! Callers of processes, also of ones that are killed and started again elsewhere.

use std::net::SocketAddr;

use letterbox::pb::messaging_service_client::MessagingServiceClient;
use tokio::sync::watch;
use tonic::{
    Request, Response, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::support::prelude::*;

/// The generated client, with somebody's metadata.
pub(crate) type Client = MessagingServiceClient<InterceptedService<Channel, Identity>>;

/// Metadata that says who calls.
#[derive(Clone)]
pub(crate) struct Identity(Vec<(&'static str, AsciiMetadataValue)>);

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.0 {
            request.metadata_mut().insert(*name, value.clone());
        }
        Ok(request)
    }
}

/// A connection of one's own.
pub(crate) fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::try_from(format!("http://{address}"));
    endpoint.expect("an address is a URL").connect_lazy()
}

/// A client with this metadata, on a connection of its own.
pub(crate) fn client(address: SocketAddr, metadata: &[(&'static str, &str)]) -> Client {
    let metadata = metadata.iter().map(|(name, value)| {
        let value = value.parse().expect("a metadata value");
        (*name, value)
    });
    MessagingServiceClient::with_interceptor(connect(address), Identity(metadata.collect()))
}

/// A request that starts a thread.
pub(crate) fn to_send(recipients: &[&str], subject: &str, content: &str) -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: recipients.iter().copied().map(str::to_owned).collect(),
        subject: subject.to_owned(),
        content: content.to_owned(),
        request_id: request_id(),
    }
}

/// A request that appends a message.
pub(crate) fn to_reply(thread: &str, content: &str) -> ReplyThreadRequest {
    ReplyThreadRequest {
        thread_id: thread.to_owned(),
        content: content.to_owned(),
        subject: None,
        request_id: request_id(),
    }
}

/// Starts a thread.
pub(crate) async fn send(mut client: Client, request: SendMessageRequest) -> Message {
    let sent = soon("an answer", client.send_message(request)).await;
    let sent = sent.expect("a thread is started").into_inner();
    sent.message.expect("an answer carries the message")
}

/// All messages of a thread, page by page.
pub(crate) async fn whole_thread(mut client: Client, thread: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut request = GetThreadRequest {
        thread_id: thread.to_owned(),
        page_size: 200,
        ..Default::default()
    };
    loop {
        let page = soon("a page", client.get_thread(request.clone())).await;
        let page = page.expect("a thread is read").into_inner();
        messages.extend(page.messages);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return messages;
        }
    }
}

/// Whether this is how a call ends whose server has been killed, and not a refusal.
pub(crate) fn is_unanswered(status: &Status) -> bool {
    let codes = [Code::Unavailable, Code::Unknown, Code::Cancelled];
    // What the service says itself comes with details.
    status.details().is_empty() && (codes.contains(&status.code()) || is_broken_pipe(status))
}

/// The client's word for a connection that broke amid an answer.
fn is_broken_pipe(status: &Status) -> bool {
    status.code() == Code::Internal && status.message().contains("h2 protocol error")
}

/// A caller who finds the service wherever it is now, and asks until there is an answer.
pub(crate) struct Caller {
    user: String,
    place: watch::Receiver<SocketAddr>,
    client: Client,
    /// How many calls went unanswered.
    pub(crate) unanswered: usize,
}

impl Caller {
    /// A caller of whatever is at the place of the day.
    pub(crate) fn new(place: &watch::Receiver<SocketAddr>, user: &str) -> Self {
        let mut place = place.clone();
        let address = *place.borrow_and_update();
        Self {
            user: user.to_owned(),
            place,
            client: client(address, &[("x-user-id", user)]),
            unanswered: 0,
        }
    }

    /// Who calls.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Calls, and where no answer came calls again once the service is back.
    pub(crate) async fn insist<T, F>(&mut self, call: impl Fn(Client) -> F) -> T
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        loop {
            match soon("an answer", call(self.client.clone())).await {
                Ok(answer) => return answer.into_inner(),
                Err(status) => assert!(is_unanswered(&status), "{status:?}"),
            }
            self.unanswered += 1;
            let address = next_place(&mut self.place).await;
            self.client = client(address, &[("x-user-id", &self.user)]);
        }
    }
}

/// Where the service is started next.
pub(crate) async fn next_place(place: &mut watch::Receiver<SocketAddr>) -> SocketAddr {
    let changed = soon("the service's return", place.changed()).await;
    changed.expect("the test goes on");
    *place.borrow_and_update()
}
