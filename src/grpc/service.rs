//! The eleven rpcs: parse, call, build.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    auth::Identity,
    call::CallDeadline,
    pb::{self, messaging_service_server::MessagingService},
    request,
    status::{Failure, status},
    token::{List, PageStart, TokenKey},
    watch::{WatchStream, watch_stream},
};
use crate::{
    messenger::{Caller, Messenger},
    model::{
        Direction, Folder, Ids, InboxRows, MessageOrder, MessageView, ThreadPage, ThreadRows,
        ThreadView,
    },
};

/// `letterbox.v1.MessagingService`, over a [`Messenger`].
pub struct Messaging {
    messenger: Arc<Messenger>,
    tokens: TokenKey,
    ids: Arc<dyn Ids>,
    heartbeat_interval: std::time::Duration,
}

impl Messaging {
    /// The service; `heartbeat_interval` is what it announces to watchers.
    pub fn new(
        messenger: Arc<Messenger>,
        tokens: TokenKey,
        ids: Arc<dyn Ids>,
        heartbeat_interval: std::time::Duration,
    ) -> Self {
        Self {
            messenger,
            tokens,
            ids,
            heartbeat_interval,
        }
    }

    fn answer<T>(&self, result: Result<T, Failure>) -> Result<Response<T>, Status> {
        result
            .map(Response::new)
            .map_err(|failure| status(failure, &*self.ids))
    }

    async fn list_inbox(
        &self,
        caller: &Caller,
        request: &pb::ListInboxRequest,
    ) -> Result<pb::ListInboxResponse, Failure> {
        let page = request::inbox(&self.tokens, caller, request)?;
        let mut rows = self.messenger.inbox(caller, page).await?;
        let total_size = rows.mailbox.of(page.folder);
        if page.direction == Direction::Backward {
            rows.threads.reverse();
        }
        let edges = inbox_edges(&rows, page.direction, page.from);
        let (next, previous) = sides(page.direction, rows.more, rows.behind);
        let list = List::Inbox(page.folder);
        Ok(pb::ListInboxResponse {
            next_page_token: self.page_token(caller, list, next, Direction::Forward, edges.last),
            previous_page_token: self.page_token(
                caller,
                list,
                previous,
                Direction::Backward,
                edges.first,
            ),
            threads: rows
                .threads
                .into_iter()
                .map(|(_, view)| view.into())
                .collect(),
            total_size,
            resume_token: self.tokens.resume_token(&caller.tenant, rows.head),
        })
    }

    async fn get_inbox_summary(
        &self,
        caller: &Caller,
    ) -> Result<pb::GetInboxSummaryResponse, Failure> {
        let summary = self.messenger.summary(caller).await?;
        Ok(pb::GetInboxSummaryResponse {
            inbox_thread_count: summary.mailbox.of(Folder::Inbox),
            unread_thread_count: summary.mailbox.of(Folder::Unread),
            deleted_thread_count: summary.mailbox.of(Folder::Deleted),
            unread_message_count: summary.mailbox.unread_messages,
            user: Some(summary.user.into()),
            resume_token: self.tokens.resume_token(&caller.tenant, summary.head),
        })
    }

    async fn get_thread(
        &self,
        caller: &Caller,
        request: &pb::GetThreadRequest,
    ) -> Result<pb::GetThreadResponse, Failure> {
        let read = request::thread(&self.tokens, caller, request)?;
        let mut rows = self.messenger.thread(caller, &read).await?;
        let page = &read.page;
        if page.direction == Direction::Backward {
            rows.messages.reverse();
        }
        let edges = thread_edges(&rows, page);
        let (next, previous) = sides(page.direction, rows.more, rows.behind);
        let list = List::Thread {
            thread: page.thread,
            order: page.order,
            exclude_sender: page.exclude_sender.as_ref(),
        };
        Ok(pb::GetThreadResponse {
            next_page_token: self.page_token(caller, list, next, Direction::Forward, edges.last),
            previous_page_token: self.page_token(
                caller,
                list,
                previous,
                Direction::Backward,
                edges.first,
            ),
            view: Some(rows.view.into()),
            messages: rows.messages.into_iter().map(Into::into).collect(),
            resume_token: self.tokens.resume_token(&caller.tenant, rows.head),
        })
    }

    /// A token for what lies beyond an edge of a page; empty where nothing does.
    fn page_token(
        &self,
        caller: &Caller,
        list: List<'_>,
        beyond: bool,
        direction: Direction,
        from: i64,
    ) -> String {
        if beyond {
            let start = PageStart { direction, from };
            self.tokens.page_token(caller, list, start)
        } else {
            String::new()
        }
    }
}

/// The places of a page's first and last entry, which its tokens start from.
struct Edges {
    first: i64,
    last: i64,
}

/// Of a page that has entries, they are its own; of an empty one, just beyond where it began.
fn inbox_edges(rows: &InboxRows, direction: Direction, from: Option<i64>) -> Edges {
    match (rows.threads.first(), rows.threads.last()) {
        (Some((first, _)), Some((last, _))) => Edges {
            first: *first,
            last: *last,
        },
        // A leap past the end: what precedes is the list's own end.
        _ => match (direction, from) {
            (Direction::Forward, Some(from)) => Edges {
                first: from - 1,
                last: from,
            },
            (Direction::Backward, Some(from)) => Edges {
                first: from,
                last: from + 1,
            },
            (_, None) => Edges { first: 0, last: 0 },
        },
    }
}

fn thread_edges(rows: &ThreadRows, page: &ThreadPage) -> Edges {
    match (rows.messages.first(), rows.messages.last()) {
        (Some(first), Some(last)) => Edges {
            first: first.number.into(),
            last: last.number.into(),
        },
        _ => {
            let from = i64::from(page.from.unwrap_or(0));
            // One step against the order: what precedes then begins with `from` itself.
            let step = match page.order {
                MessageOrder::OldestFirst => 1,
                MessageOrder::NewestFirst => -1,
            };
            match page.direction {
                Direction::Forward => Edges {
                    first: from + step,
                    last: from,
                },
                Direction::Backward => Edges {
                    first: from,
                    last: from - step,
                },
            }
        }
    }
}

/// Whether something lies after a page, and before it, in the list's own order.
fn sides(direction: Direction, more: bool, behind: bool) -> (bool, bool) {
    match direction {
        Direction::Forward => (more, behind),
        Direction::Backward => (behind, more),
    }
}

fn sent<R>(
    (message, view): (MessageView, ThreadView),
    build: impl FnOnce(Option<pb::Message>, Option<pb::ThreadView>) -> R,
) -> R {
    build(Some(message.into()), Some(view.into()))
}

/// The identity that the call's layer has put beside the request, and the request.
fn opened<T>(request: Request<T>) -> Result<(Identity, T), Failure> {
    let (_, extensions, message) = request.into_parts();
    let identity = extensions.get::<Identity>().cloned();
    let identity = identity.ok_or(Failure::BadCredentials(
        super::auth::BadCredentials::Missing,
    ))?;
    Ok((identity, message))
}

#[tonic::async_trait]
impl MessagingService for Messaging {
    async fn list_inbox(
        &self,
        request: Request<pb::ListInboxRequest>,
    ) -> Result<Response<pb::ListInboxResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                self.list_inbox(&caller, &request).await
            }
            .await,
        )
    }

    async fn get_inbox_summary(
        &self,
        request: Request<pb::GetInboxSummaryRequest>,
    ) -> Result<Response<pb::GetInboxSummaryResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, _) = opened(request)?;
                self.get_inbox_summary(&caller).await
            }
            .await,
        )
    }

    async fn get_thread(
        &self,
        request: Request<pb::GetThreadRequest>,
    ) -> Result<Response<pb::GetThreadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                self.get_thread(&caller, &request).await
            }
            .await,
        )
    }

    async fn send_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Result<Response<pb::SendMessageResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let (send, request_id) = request::send(&caller, request)?;
                let answer = self.messenger.send(&caller, send, request_id).await?;
                Ok(sent(answer, |message, view| pb::SendMessageResponse {
                    message,
                    view,
                }))
            }
            .await,
        )
    }

    async fn reply_thread(
        &self,
        request: Request<pb::ReplyThreadRequest>,
    ) -> Result<Response<pb::ReplyThreadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let (reply, request_id) = request::reply(&caller, request)?;
                let answer = self.messenger.reply(&caller, reply, request_id).await?;
                Ok(sent(answer, |message, view| pb::ReplyThreadResponse {
                    message,
                    view,
                }))
            }
            .await,
        )
    }

    async fn edit_message(
        &self,
        request: Request<pb::EditMessageRequest>,
    ) -> Result<Response<pb::EditMessageResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let edit = request::edit(&caller, request)?;
                let message = self.messenger.edit(&caller, edit).await?;
                Ok(pb::EditMessageResponse {
                    message: Some(message.into()),
                })
            }
            .await,
        )
    }

    async fn mark_thread_read(
        &self,
        request: Request<pb::MarkThreadReadRequest>,
    ) -> Result<Response<pb::MarkThreadReadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let mark = request::mark_read(&caller, &request)?;
                let view = Some(self.messenger.mark_read(&caller, mark).await?.into());
                Ok(pb::MarkThreadReadResponse { view })
            }
            .await,
        )
    }

    async fn mark_thread_unread(
        &self,
        request: Request<pb::MarkThreadUnreadRequest>,
    ) -> Result<Response<pb::MarkThreadUnreadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let thread = request::thread_id(&request.thread_id)?;
                let view = Some(self.messenger.mark_unread(&caller, thread).await?.into());
                Ok(pb::MarkThreadUnreadResponse { view })
            }
            .await,
        )
    }

    async fn delete_thread(
        &self,
        request: Request<pb::DeleteThreadRequest>,
    ) -> Result<Response<pb::DeleteThreadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let thread = request::thread_id(&request.thread_id)?;
                let view = Some(self.messenger.delete(&caller, thread).await?.into());
                Ok(pb::DeleteThreadResponse { view })
            }
            .await,
        )
    }

    async fn restore_thread(
        &self,
        request: Request<pb::RestoreThreadRequest>,
    ) -> Result<Response<pb::RestoreThreadResponse>, Status> {
        self.answer(
            async {
                let (Identity { caller, .. }, request) = opened(request)?;
                let thread = request::thread_id(&request.thread_id)?;
                let view = Some(self.messenger.restore(&caller, thread).await?.into());
                Ok(pb::RestoreThreadResponse { view })
            }
            .await,
        )
    }

    type WatchMessagesStream = WatchStream;

    async fn watch_messages(
        &self,
        request: Request<pb::WatchMessagesRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let deadline = request.extensions().get::<CallDeadline>().copied();
        self.answer(
            async {
                let (identity, request) = opened(request)?;
                let (watch, from) = request::watch(&self.tokens, &identity, &request)?;
                let own = watch.reader.clone();
                let caller = identity.caller;
                let deliveries = self.messenger.watch(&caller, watch, from).await?;
                Ok(watch_stream(
                    deliveries,
                    own,
                    caller.tenant,
                    self.tokens.clone(),
                    Arc::clone(&self.ids),
                    self.heartbeat_interval,
                    deadline,
                ))
            }
            .await,
        )
    }
}
