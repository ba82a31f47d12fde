//! The eleven rpcs: parse, call, build.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    auth::Identity,
    call::CallDeadline,
    handler,
    limits::Limits,
    observed::InFlight,
    page_cache::PageCache,
    pb::{self, Encoded, messaging_service_server::MessagingService},
    request,
    response::Viewer,
    status::Failure,
    token::TokenKey,
    watch::{Counted, Responses, WatchStream, watch_stream},
};
use crate::{
    messenger::{Caller, Messenger, Stay},
    model::{Ids, LogReader, MessageView, ThreadView},
};

/// `letterbox.v1.MessagingService`, over a [`Messenger`].
pub struct Messaging {
    pub(super) messenger: Arc<Messenger>,
    pub(super) tokens: TokenKey,
    pub(super) pages: PageCache,
    limits: Arc<Limits>,
    ids: Arc<dyn Ids>,
    heartbeat_interval: std::time::Duration,
    hide_email_addresses: bool,
}

impl Messaging {
    /// The service; `heartbeat_interval` is what it announces to watchers, and
    /// `hide_email_addresses` whether participants see nobody's address but their own.
    pub fn new(
        messenger: Arc<Messenger>,
        tokens: TokenKey,
        pages: PageCache,
        limits: Arc<Limits>,
        ids: Arc<dyn Ids>,
        heartbeat_interval: std::time::Duration,
        hide_email_addresses: bool,
    ) -> Self {
        Self {
            messenger,
            tokens,
            pages,
            limits,
            ids,
            heartbeat_interval,
            hide_email_addresses,
        }
    }

    /// The caller, and what they ask for.
    async fn opened<T, P>(
        &self,
        request: Request<T>,
        parse: impl FnOnce(&Caller, T) -> Result<P, Failure>,
    ) -> Result<(Caller, P), Failure> {
        let parse = |identity: &Identity, request| parse(&identity.caller, request);
        let (identity, asked) = handler::opened(&self.messenger, request, parse).await?;
        Ok((identity.caller, asked))
    }

    /// How much of others a caller sees in answers of their own.
    pub(super) fn viewer(&self, caller: &Caller) -> Viewer {
        if self.hide_email_addresses {
            Viewer::Only(caller.user.clone())
        } else {
            Viewer::OfAll
        }
    }

    fn sent(
        &self,
        caller: &Caller,
        (message, view): (MessageView, ThreadView),
    ) -> (Option<pb::Message>, Option<pb::ThreadView>) {
        let viewer = self.viewer(caller);
        (Some(viewer.message(message)), Some(viewer.view(view)))
    }

    async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Response<T>, Status> {
        handler::answer(&*self.ids, work).await
    }
}

#[tonic::async_trait]
impl MessagingService for Messaging {
    async fn list_inbox(
        &self,
        request: Request<pb::ListInboxRequest>,
    ) -> Result<Response<Encoded>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::inbox(&self.tokens, caller, &request);
            let (caller, page) = self.opened(request, parse).await?;
            self.inbox_page(&caller, page).await
        })
        .await
    }

    async fn get_inbox_summary(
        &self,
        request: Request<pb::GetInboxSummaryRequest>,
    ) -> Result<Response<pb::GetInboxSummaryResponse>, Status> {
        self.answer(async {
            let (caller, ()) = self.opened(request, |_, _| Ok(())).await?;
            self.inbox_summary(&caller).await
        })
        .await
    }

    async fn get_thread(
        &self,
        request: Request<pb::GetThreadRequest>,
    ) -> Result<Response<Encoded>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::thread(&self.tokens, caller, &request);
            let (caller, wanted) = self.opened(request, parse).await?;
            self.thread_page(&caller, &wanted).await
        })
        .await
    }

    async fn send_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Result<Response<pb::SendMessageResponse>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::send(caller, request, &self.limits);
            let (caller, (send, request_id)) = self.opened(request, parse).await?;
            let answer = self.messenger.send(&caller, send, request_id).await?;
            let (message, view) = self.sent(&caller, answer);
            Ok(pb::SendMessageResponse { message, view })
        })
        .await
    }

    async fn reply_thread(
        &self,
        request: Request<pb::ReplyThreadRequest>,
    ) -> Result<Response<pb::ReplyThreadResponse>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::reply(caller, request, &self.limits);
            let (caller, (reply, request_id)) = self.opened(request, parse).await?;
            let answer = self.messenger.reply(&caller, reply, request_id).await?;
            let (message, view) = self.sent(&caller, answer);
            Ok(pb::ReplyThreadResponse { message, view })
        })
        .await
    }

    async fn edit_message(
        &self,
        request: Request<pb::EditMessageRequest>,
    ) -> Result<Response<pb::EditMessageResponse>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::edit(caller, request, &self.limits);
            let (caller, edit) = self.opened(request, parse).await?;
            let message = self.messenger.edit(&caller, edit).await?;
            let message = Some(self.viewer(&caller).message(message));
            Ok(pb::EditMessageResponse { message })
        })
        .await
    }

    async fn mark_thread_read(
        &self,
        request: Request<pb::MarkThreadReadRequest>,
    ) -> Result<Response<pb::MarkThreadReadResponse>, Status> {
        self.answer(async {
            let parse = |caller: &_, request| request::mark_read(caller, &request);
            let (caller, mark) = self.opened(request, parse).await?;
            let view = self.messenger.mark_read(&caller, mark).await?;
            let view = Some(self.viewer(&caller).view(view));
            Ok(pb::MarkThreadReadResponse { view })
        })
        .await
    }

    async fn mark_thread_unread(
        &self,
        request: Request<pb::MarkThreadUnreadRequest>,
    ) -> Result<Response<pb::MarkThreadUnreadResponse>, Status> {
        self.answer(async {
            let parse = |_: &_, request: pb::MarkThreadUnreadRequest| {
                request::thread_id(&request.thread_id)
            };
            let (caller, thread) = self.opened(request, parse).await?;
            let view = self.messenger.mark_unread(&caller, thread).await?;
            let view = Some(self.viewer(&caller).view(view));
            Ok(pb::MarkThreadUnreadResponse { view })
        })
        .await
    }

    async fn delete_thread(
        &self,
        request: Request<pb::DeleteThreadRequest>,
    ) -> Result<Response<pb::DeleteThreadResponse>, Status> {
        self.answer(async {
            let parse =
                |_: &_, request: pb::DeleteThreadRequest| request::thread_id(&request.thread_id);
            let (caller, thread) = self.opened(request, parse).await?;
            let view = self.messenger.delete(&caller, thread).await?;
            let view = Some(self.viewer(&caller).view(view));
            Ok(pb::DeleteThreadResponse { view })
        })
        .await
    }

    async fn restore_thread(
        &self,
        request: Request<pb::RestoreThreadRequest>,
    ) -> Result<Response<pb::RestoreThreadResponse>, Status> {
        self.answer(async {
            let parse =
                |_: &_, request: pb::RestoreThreadRequest| request::thread_id(&request.thread_id);
            let (caller, thread) = self.opened(request, parse).await?;
            let view = self.messenger.restore(&caller, thread).await?;
            let view = Some(self.viewer(&caller).view(view));
            Ok(pb::RestoreThreadResponse { view })
        })
        .await
    }

    type WatchMessagesStream = WatchStream;

    async fn watch_messages(
        &self,
        mut request: Request<pb::WatchMessagesRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let in_flight = request.extensions_mut().remove::<InFlight>();
        let deadline = request.extensions().get::<CallDeadline>().copied();
        self.answer(async {
            let parse = |identity: &_, request| request::watch(&self.tokens, identity, &request);
            let (identity, (watch, from)) =
                handler::opened(&self.messenger, request, parse).await?;
            let reader = watch.reader.clone();
            let (caller, expires) = (identity.caller, identity.expires);
            let viewer = match reader {
                // A service, which may be what sends people mail.
                LogReader::Everyone => Viewer::OfAll,
                LogReader::User(_) => self.viewer(&caller),
            };
            let slot = self.limits.begin_watch(&caller)?;
            let [counted, counted_by_watcher] = Counted::until_either_ends(slot, in_flight);
            let stay = Stay {
                until: deadline
                    .map(|CallDeadline(end)| end)
                    .into_iter()
                    .chain(expires)
                    .min(),
                counted: Box::new(counted_by_watcher),
            };
            let deliveries = self.messenger.watch(&caller, watch, from, stay).await?;
            let responses = Responses {
                reader,
                viewer,
                tenant: caller.tenant,
                tokens: self.tokens.clone(),
                ids: Arc::clone(&self.ids),
                heartbeat_interval: self.heartbeat_interval,
                _counted: counted,
            };
            Ok(watch_stream(deliveries, responses, deadline, expires))
        })
        .await
    }
}
