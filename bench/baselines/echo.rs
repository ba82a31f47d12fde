//! The ceiling of the transport: tonic's own server, with answers like Letterbox's from memory.

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use futures_util::{Stream, StreamExt};
use letterbox::pb::{
    self, messaging_service_client::MessagingServiceClient,
    messaging_service_server::MessagingServiceServer, watch_messages_response::Event,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};
use uuid::Uuid;

/// How many events wait for a stream before those who send them wait.
const STREAM_EVENTS: usize = 1_024;

#[derive(Args)]
pub struct Options {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:50052")]
    listen: SocketAddr,
    /// A Letterbox whose answers to bench-user-0 are given to everybody; without it they are empty
    #[arg(long, value_name = "URL")]
    like: Option<String>,
    /// Bytes of the content of the message that is sent there
    #[arg(long, default_value_t = 200)]
    size: usize,
}

pub async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let answers = match options.like {
        Some(url) => Answers::like(url, options.size).await?,
        None => Answers::default(),
    };
    let incoming = TcpIncoming::bind(options.listen)?.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    let service = MessagingServiceServer::new(Echo::new(answers));
    Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// What is answered to everybody.
#[derive(Default)]
struct Answers {
    inbox: pb::ListInboxResponse,
    summary: pb::GetInboxSummaryResponse,
    thread: pb::GetThreadResponse,
    sent: pb::SendMessageResponse,
}

impl Answers {
    /// What a Letterbox answers to the load generator's first user.
    async fn like(url: String, size: usize) -> Result<Self, Box<dyn Error>> {
        let mut client = MessagingServiceClient::connect(url).await?;
        let message = pb::SendMessageRequest {
            recipient_ids: vec!["bench-user-1".into()],
            subject: "A subject".into(),
            content: "x".repeat(size),
            ..Default::default()
        };
        let sent = client.send_message(call(message)?).await?.into_inner();
        let list = pb::ListInboxRequest {
            page_size: 50,
            ..Default::default()
        };
        let inbox = client.list_inbox(call(list)?).await?.into_inner();
        let summary = client.get_inbox_summary(call(pb::GetInboxSummaryRequest {})?);
        let summary = summary.await?.into_inner();
        let first = inbox.threads.first().and_then(|view| view.thread.as_ref());
        let thread = match first {
            Some(first) => {
                let get = pb::GetThreadRequest {
                    thread_id: first.id.clone(),
                    page_size: 50,
                    ..Default::default()
                };
                client.get_thread(call(get)?).await?.into_inner()
            }
            None => pb::GetThreadResponse::default(),
        };
        Ok(Self {
            inbox,
            summary,
            thread,
            sent,
        })
    }

    /// The answer to a `SendMessage`, for a message of its own.
    #[expect(clippy::disallowed_methods, reason = "nothing here is handed in")]
    fn sent(&self) -> (pb::Message, Option<pb::ThreadView>) {
        let mut message = self.sent.message.clone().unwrap_or_default();
        message.id = Uuid::now_v7().to_string();
        (message, self.sent.view.clone())
    }
}

fn call<T>(message: T) -> Result<Request<T>, Box<dyn Error>> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("x-user-id", "bench-user-0".parse()?);
    metadata.insert("x-tenant-id", "bench".parse()?);
    Ok(request)
}

/// An event, and whose watches are told of it.
type Told = (Vec<String>, Arc<pb::WatchMessagesResponse>);

type Streams = Arc<Mutex<HashMap<String, Vec<mpsc::Sender<Arc<pb::WatchMessagesResponse>>>>>>;

struct Echo {
    answers: Answers,
    streams: Streams,
    told: mpsc::UnboundedSender<Told>,
}

impl Echo {
    fn new(answers: Answers) -> Self {
        let (told, telling) = mpsc::unbounded_channel();
        let streams = Streams::default();
        tokio::spawn(tell(telling, Arc::clone(&streams)));
        Self {
            answers,
            streams,
            told,
        }
    }

    /// Has the watches of those who take part told; who sent does not wait for that.
    fn tell(&self, message: &pb::Message, thread: Option<pb::Thread>, mut users: Vec<String>) {
        let recipient_ids = users.split_off(1);
        let event = pb::MessageSent {
            message: Some(message.clone()),
            thread,
            recipient_ids: recipient_ids.clone(),
            ..Default::default()
        };
        let response = self.response(Event::MessageSent(event));
        users.extend(recipient_ids);
        users.sort_unstable();
        users.dedup();
        // The other end lives as long as the process.
        let _ = self.told.send((users, Arc::new(response)));
    }

    fn response(&self, event: Event) -> pb::WatchMessagesResponse {
        pb::WatchMessagesResponse {
            resume_token: self.answers.inbox.resume_token.clone(),
            event: Some(event),
        }
    }
}

/// Hands events out, one by one; a stream that is full is waited for, so none misses any.
async fn tell(mut telling: mpsc::UnboundedReceiver<Told>, streams: Streams) {
    while let Some((users, response)) = telling.recv().await {
        for user in users {
            let theirs = {
                let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(theirs) = streams.get_mut(&user) else {
                    continue;
                };
                theirs.retain(|stream| !stream.is_closed());
                theirs.clone()
            };
            for stream in theirs {
                // It can have ended since.
                let _ = stream.send(Arc::clone(&response)).await;
            }
        }
    }
}

/// Who calls, as the metadata says.
fn caller<T>(request: &Request<T>) -> String {
    let id = request.metadata().get("x-user-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    id.to_owned()
}

/// How many entries a page has at most.
fn page(size: i32) -> usize {
    match usize::try_from(size) {
        Ok(0) | Err(_) => 50,
        Ok(size) => size,
    }
}

fn unimplemented<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in this baseline"))
}

#[tonic::async_trait]
impl pb::messaging_service_server::MessagingService for Echo {
    type WatchMessagesStream = Pin<Box<dyn Stream<Item = Result<pb::Encoded, Status>> + Send>>;

    async fn list_inbox(
        &self,
        request: Request<pb::ListInboxRequest>,
    ) -> Result<Response<pb::Encoded>, Status> {
        let mut inbox = self.answers.inbox.clone();
        inbox.threads.truncate(page(request.get_ref().page_size));
        Ok(Response::new(pb::Encoded::of(&inbox)))
    }

    async fn get_inbox_summary(
        &self,
        _: Request<pb::GetInboxSummaryRequest>,
    ) -> Result<Response<pb::GetInboxSummaryResponse>, Status> {
        Ok(Response::new(self.answers.summary.clone()))
    }

    async fn get_thread(
        &self,
        request: Request<pb::GetThreadRequest>,
    ) -> Result<Response<pb::Encoded>, Status> {
        let mut thread = self.answers.thread.clone();
        thread.messages.truncate(page(request.get_ref().page_size));
        Ok(Response::new(pb::Encoded::of(&thread)))
    }

    async fn send_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Result<Response<pb::SendMessageResponse>, Status> {
        let mut users = vec![caller(&request)];
        users.extend(request.into_inner().recipient_ids);
        let (message, view) = self.answers.sent();
        let thread = view.as_ref().and_then(|view| view.thread.clone());
        self.tell(&message, thread, users);
        let message = Some(message);
        Ok(Response::new(pb::SendMessageResponse { message, view }))
    }

    async fn reply_thread(
        &self,
        request: Request<pb::ReplyThreadRequest>,
    ) -> Result<Response<pb::ReplyThreadResponse>, Status> {
        let (message, view) = self.answers.sent();
        let thread = view.as_ref().and_then(|view| view.thread.clone());
        self.tell(&message, thread, vec![caller(&request)]);
        let message = Some(message);
        Ok(Response::new(pb::ReplyThreadResponse { message, view }))
    }

    async fn watch_messages(
        &self,
        request: Request<pb::WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let (stream, events) = mpsc::channel(STREAM_EVENTS);
        let interval = prost_types::Duration {
            seconds: 30,
            nanos: 0,
        };
        let ready = pb::WatchReady {
            heartbeat_interval: Some(interval),
        };
        let ready = self.response(Event::Ready(ready));
        // There is room: it is the first.
        let _ = stream.try_send(Arc::new(ready));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.entry(caller(&request)).or_default().push(stream);
        let events = ReceiverStream::new(events).map(|event| Ok(pb::Encoded::of(&*event)));
        Ok(Response::new(Box::pin(events)))
    }

    async fn edit_message(
        &self,
        _: Request<pb::EditMessageRequest>,
    ) -> Result<Response<pb::EditMessageResponse>, Status> {
        unimplemented()
    }

    async fn mark_thread_read(
        &self,
        _: Request<pb::MarkThreadReadRequest>,
    ) -> Result<Response<pb::MarkThreadReadResponse>, Status> {
        unimplemented()
    }

    async fn mark_thread_unread(
        &self,
        _: Request<pb::MarkThreadUnreadRequest>,
    ) -> Result<Response<pb::MarkThreadUnreadResponse>, Status> {
        unimplemented()
    }

    async fn delete_thread(
        &self,
        _: Request<pb::DeleteThreadRequest>,
    ) -> Result<Response<pb::DeleteThreadResponse>, Status> {
        unimplemented()
    }

    async fn restore_thread(
        &self,
        _: Request<pb::RestoreThreadRequest>,
    ) -> Result<Response<pb::RestoreThreadResponse>, Status> {
        unimplemented()
    }
}
