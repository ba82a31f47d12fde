//! A caller: the generated client with somebody's metadata, and a few words of the domain.

use letterbox::pb::{
    DeleteThreadRequest, DeleteThreadResponse, EditMessageResponse, MarkThreadReadResponse,
    MarkThreadUnreadRequest, MarkThreadUnreadResponse, ReplyThreadResponse, RestoreThreadRequest,
    RestoreThreadResponse, SendMessageResponse, admin::admin_service_client::AdminServiceClient,
    messaging_service_client::MessagingServiceClient,
};
use tonic::{
    Request, Status, Streaming,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    transport::Channel,
};

use super::{
    EditMessageRequest, Folder, GetInboxSummaryRequest, GetInboxSummaryResponse, GetThreadRequest,
    GetThreadResponse, ListInboxRequest, ListInboxResponse, MarkThreadReadRequest, Message,
    MessageText, ReplyThreadRequest, SendMessageRequest, ThreadView, Watch, WatchMessagesRequest,
    WatchMessagesResponse, WatchScope, subjects,
};

/// The largest answer that gRPC clients accept by default, and so the service's promise.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A caller with an identity, on a connection.
#[derive(Clone)]
pub(crate) struct Client {
    service: MessagingServiceClient<Channel>,
    pub(super) admin: AdminServiceClient<Channel>,
    headers: Vec<(AsciiMetadataKey, AsciiMetadataValue)>,
}

/// What was sent, whether it began a thread or not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    /// The thread's id.
    pub(crate) thread: String,
    /// The message.
    pub(crate) message: Message,
    /// The sender's view.
    pub(crate) view: ThreadView,
}

impl From<SendMessageResponse> for Sent {
    fn from(response: SendMessageResponse) -> Self {
        Self::new(response.message, response.view)
    }
}

impl From<ReplyThreadResponse> for Sent {
    fn from(response: ReplyThreadResponse) -> Self {
        Self::new(response.message, response.view)
    }
}

impl Sent {
    fn new(message: Option<Message>, view: Option<ThreadView>) -> Self {
        let message = message.expect("what was sent is answered with the message");
        let view = view.expect("what was sent is answered with a view");
        Self {
            thread: message.thread_id.clone(),
            message,
            view,
        }
    }
}

/// The calls as the service has them, one for each unary rpc.
macro_rules! calls {
    ($($name:ident: $request:ty => $response:ty;)*) => {
        $(
            pub(crate) async fn $name(&self, request: $request) -> Result<$response, Status> {
                let answer = self.service.clone().$name(self.request(request)).await?;
                Ok(answer.into_inner())
            }
        )*
    };
}

impl Client {
    calls! {
        list_inbox: ListInboxRequest => ListInboxResponse;
        get_inbox_summary: GetInboxSummaryRequest => GetInboxSummaryResponse;
        get_thread: GetThreadRequest => GetThreadResponse;
        send_message: SendMessageRequest => SendMessageResponse;
        reply_thread: ReplyThreadRequest => ReplyThreadResponse;
        edit_message: EditMessageRequest => EditMessageResponse;
        mark_thread_read: MarkThreadReadRequest => MarkThreadReadResponse;
        mark_thread_unread: MarkThreadUnreadRequest => MarkThreadUnreadResponse;
        delete_thread: DeleteThreadRequest => DeleteThreadResponse;
        restore_thread: RestoreThreadRequest => RestoreThreadResponse;
        watch_messages: WatchMessagesRequest => Streaming<WatchMessagesResponse>;
    }

    pub(super) fn new(channel: Channel) -> Self {
        Self {
            admin: AdminServiceClient::new(channel.clone()),
            service: MessagingServiceClient::new(channel)
                .max_decoding_message_size(ANSWER_BYTES_MAX),
            headers: Vec::new(),
        }
    }

    /// Somebody without a name, on this connection.
    pub(crate) fn over(channel: Channel) -> Self {
        Self::new(channel)
    }

    /// The same caller on the same connection, with one more metadata entry.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let key = name.parse().expect("a metadata key");
        let value = AsciiMetadataValue::try_from(value.as_bytes()).expect("a metadata value");
        client.headers.push((key, value));
        client
    }

    /// The same user in another tenant.
    pub(crate) fn in_tenant(&self, tenant: &str) -> Self {
        self.with("x-tenant-id", tenant)
    }

    /// The same user with scopes.
    pub(crate) fn with_scopes(&self, scopes: &str) -> Self {
        self.with("x-user-scopes", scopes)
    }

    pub(super) fn request<T>(&self, body: T) -> Request<T> {
        let mut request = Request::new(body);
        for (key, value) in &self.headers {
            request.metadata_mut().append(key.clone(), value.clone());
        }
        request
    }

    /// Starts a thread.
    pub(crate) async fn start(&self, subject: &str, recipients: &[&str], content: &str) -> Sent {
        let request = SendMessageRequest {
            recipient_ids: recipients.iter().copied().map(str::to_owned).collect(),
            subject: subject.to_owned(),
            content: content.to_owned(),
            request_id: String::new(),
        };
        self.send_message(request)
            .await
            .expect("a thread is started")
            .into()
    }

    /// Appends a message.
    pub(crate) async fn reply(&self, thread: &str, content: &str) -> Sent {
        let request = ReplyThreadRequest {
            thread_id: thread.to_owned(),
            content: content.to_owned(),
            ..Default::default()
        };
        self.reply_thread(request)
            .await
            .expect("a reply is sent")
            .into()
    }

    /// Replaces a message's content, whatever its revision.
    pub(crate) async fn edit(&self, message: &Message, content: &str) -> Message {
        let request = EditMessageRequest {
            message_id: message.id.clone(),
            content: content.to_owned(),
            expected_revision: None,
        };
        let answer = self.edit_message(request).await.expect("an edit is made");
        answer
            .message
            .expect("an edit is answered with the message")
    }

    /// Marks all that is there as read.
    pub(crate) async fn mark_read(&self, thread: &str) -> ThreadView {
        self.mark_read_to(thread, None).await
    }

    /// Marks what is there up to a number as read.
    pub(crate) async fn mark_read_up_to(&self, thread: &str, number: i32) -> ThreadView {
        self.mark_read_to(thread, Some(number)).await
    }

    async fn mark_read_to(&self, thread: &str, up_to_number: Option<i32>) -> ThreadView {
        let request = MarkThreadReadRequest {
            thread_id: thread.to_owned(),
            up_to_number,
        };
        let answer = self.mark_thread_read(request).await.expect("marked read");
        answer.view.expect("marking is answered with a view")
    }

    /// Marks a thread unread.
    pub(crate) async fn mark_unread(&self, thread: &str) -> ThreadView {
        let thread_id = thread.to_owned();
        let answer = self.mark_thread_unread(MarkThreadUnreadRequest { thread_id });
        let answer = answer.await.expect("marked unread");
        answer.view.expect("marking is answered with a view")
    }

    /// Deletes a thread for this caller.
    pub(crate) async fn delete(&self, thread: &str) -> ThreadView {
        let thread_id = thread.to_owned();
        let answer = self.delete_thread(DeleteThreadRequest { thread_id });
        let answer = answer.await.expect("deleted");
        answer.view.expect("deleting is answered with a view")
    }

    /// Takes a thread out of this caller's deleted folder.
    pub(crate) async fn restore(&self, thread: &str) -> ThreadView {
        let thread_id = thread.to_owned();
        let answer = self.restore_thread(RestoreThreadRequest { thread_id });
        let answer = answer.await.expect("restored");
        answer.view.expect("restoring is answered with a view")
    }

    /// This caller's view of a thread.
    pub(crate) async fn view(&self, thread: &str) -> ThreadView {
        let page = self.read(thread).await;
        page.view.expect("reading is answered with a view")
    }

    /// The first messages of a thread, each as `1 ana: Lunch?`.
    pub(crate) async fn lines(&self, thread: &str) -> Vec<String> {
        let page = self.read(thread).await;
        page.messages.iter().map(MessageText::line).collect()
    }

    /// A thread and its first 200 messages.
    pub(crate) async fn read(&self, thread: &str) -> GetThreadResponse {
        let request = GetThreadRequest {
            thread_id: thread.to_owned(),
            page_size: 200,
            ..Default::default()
        };
        self.get_thread(request).await.expect("a thread is read")
    }

    /// The first 200 threads of a folder.
    pub(crate) async fn list(&self, folder: Folder) -> ListInboxResponse {
        let request = ListInboxRequest {
            folder: folder.into(),
            page_size: 200,
            ..Default::default()
        };
        self.list_inbox(request).await.expect("a folder is listed")
    }

    /// The subjects of the first 200 threads of a folder.
    pub(crate) async fn subjects(&self, folder: Folder) -> Vec<String> {
        subjects(&self.list(folder).await)
    }

    /// The caller's counts.
    pub(crate) async fn summary(&self) -> GetInboxSummaryResponse {
        let request = GetInboxSummaryRequest {};
        self.get_inbox_summary(request).await.expect("a summary")
    }

    /// Watches all that concerns this caller, from now on.
    pub(crate) async fn watch(&self) -> Watch {
        self.watch_with(WatchMessagesRequest::default()).await
    }

    /// Watches all that concerns this caller, after a token.
    pub(crate) async fn resume(&self, token: &str) -> Watch {
        self.watch_with(WatchMessagesRequest {
            resume_token: token.to_owned(),
            ..Default::default()
        })
        .await
    }

    /// Watches everything in the tenant, from now on; needs the scope.
    pub(crate) async fn watch_all(&self) -> Watch {
        self.watch_with(WatchMessagesRequest {
            scope: WatchScope::AllUsers.into(),
            ..Default::default()
        })
        .await
    }

    /// Tries to watch what the request says.
    pub(crate) async fn try_watch(&self, request: WatchMessagesRequest) -> Result<Watch, Status> {
        Watch::begin(self, request).await
    }

    /// Watches what the request says.
    pub(crate) async fn watch_with(&self, request: WatchMessagesRequest) -> Watch {
        self.try_watch(request).await.expect("a watch begins")
    }
}
