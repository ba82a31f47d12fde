//! Calls, as one of the population makes them.

use std::{iter, sync::Arc};

use tonic::{
    Request, Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::{
    Error,
    options::Target,
    population::{Person, Place, Population},
};
use crate::pb::{
    GetInboxSummaryRequest, GetThreadRequest, ListInboxRequest, ListInboxResponse,
    MarkThreadReadRequest, ReplyThreadRequest, SendMessageRequest, WatchMessagesRequest,
    WatchMessagesResponse, messaging_service_client::MessagingServiceClient,
};

/// One of the callers.
#[derive(Clone)]
pub(super) struct Client {
    service: MessagingServiceClient<Channel>,
    population: Arc<Population>,
    content: Arc<str>,
}

/// Connects as many clients as there are connections.
pub(super) async fn connect(
    target: &Target,
    population: &Arc<Population>,
    connections: u32,
) -> Result<Vec<Client>, Error> {
    let unusable = |error: tonic::transport::Error| Error::Endpoint {
        endpoint: target.endpoint.clone(),
        problem: innermost(&error).to_string(),
    };
    let endpoint = Endpoint::from_shared(target.endpoint.clone()).map_err(unusable)?;
    let content = content(target.size as usize).into();
    let mut clients = Vec::new();
    for _ in 0..connections {
        let channel = endpoint.connect().await.map_err(unusable)?;
        clients.push(Client {
            service: MessagingServiceClient::new(channel),
            population: Arc::clone(population),
            content: Arc::clone(&content),
        });
    }
    Ok(clients)
}

/// What an error comes down to: the transport's own say no more than that they are.
fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let sources = iter::successors(Some(error), |error| error.source());
    sources.last().unwrap_or(error)
}

/// A text of this length.
fn content(bytes: usize) -> String {
    let words = "It was a bright cold day in November, and the clocks were striking thirteen. ";
    words.chars().cycle().take(bytes).collect()
}

impl Client {
    fn request<T>(&self, caller: Person, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("x-user-id", caller.header());
        metadata.insert("x-tenant-id", self.population.tenant(caller));
        request
    }

    /// Starts a thread; its message's id.
    pub(super) async fn send(&mut self, from: Person, to: Person) -> Result<String, Status> {
        let message = SendMessageRequest {
            recipient_ids: vec![to.id()],
            subject: "A day in November".to_owned(),
            content: self.content.to_string(),
            request_id: String::new(),
        };
        let request = self.request(from, message);
        let sent = self.service.send_message(request).await?.into_inner();
        Ok(sent.message.unwrap_or_default().id)
    }

    pub(super) async fn reply(&mut self, from: Person, place: &Place) -> Result<(), Status> {
        let message = ReplyThreadRequest {
            thread_id: place.thread.to_string(),
            content: self.content.to_string(),
            subject: None,
            request_id: String::new(),
        };
        let request = self.request(from, message);
        self.service.reply_thread(request).await?;
        Ok(())
    }

    pub(super) async fn inbox(
        &mut self,
        of: Person,
        page_size: u32,
        page_token: String,
    ) -> Result<ListInboxResponse, Status> {
        let message = ListInboxRequest {
            page_size: page_size.cast_signed(),
            page_token,
            ..ListInboxRequest::default()
        };
        let request = self.request(of, message);
        Ok(self.service.list_inbox(request).await?.into_inner())
    }

    /// How many threads lie in somebody's inbox.
    pub(super) async fn inbox_size(&mut self, of: Person) -> Result<u32, Status> {
        let request = self.request(of, GetInboxSummaryRequest {});
        let summary = self.service.get_inbox_summary(request).await?.into_inner();
        Ok(summary.inbox_thread_count.cast_unsigned())
    }

    /// A page of a thread, from this message on.
    pub(super) async fn thread(
        &mut self,
        place: &Place,
        page_size: u32,
        start_number: u32,
    ) -> Result<(), Status> {
        let message = GetThreadRequest {
            thread_id: place.thread.to_string(),
            page_size: page_size.cast_signed(),
            start_number: start_number.cast_signed(),
            ..GetThreadRequest::default()
        };
        let request = self.request(place.owner, message);
        self.service.get_thread(request).await?;
        Ok(())
    }

    pub(super) async fn mark_read(&mut self, place: &Place) -> Result<(), Status> {
        let message = MarkThreadReadRequest {
            thread_id: place.thread.to_string(),
            up_to_number: None,
        };
        let request = self.request(place.owner, message);
        self.service.mark_thread_read(request).await?;
        Ok(())
    }

    /// Watches what happens to somebody from now on.
    pub(super) async fn watch(
        &mut self,
        as_person: Person,
    ) -> Result<Streaming<WatchMessagesResponse>, Status> {
        let request = self.request(as_person, WatchMessagesRequest::default());
        Ok(self.service.watch_messages(request).await?.into_inner())
    }
}
