//! The use cases that change something.

use super::{Caller, Error, Messenger, unexpected};
use crate::model::{
    Command, Edit, MarkRead, MessageView, Outcome, Reply, RequestId, RequestKey, Send, ThreadId,
    ThreadView,
};

impl Messenger {
    /// Starts a thread; with a request id, once however often it is asked for.
    pub async fn send(
        &self,
        caller: &Caller,
        mut send: Send,
        request_id: Option<RequestId>,
    ) -> Result<(MessageView, ThreadView), Error> {
        send.request = request_id.map(|id| RequestKey {
            id,
            fingerprint: self.fingerprints.of_send(&send),
        });
        self.carry_out_sending(caller, Command::Send(send)).await
    }

    /// Appends to a thread; with a request id, once however often it is asked for.
    pub async fn reply(
        &self,
        caller: &Caller,
        mut reply: Reply,
        request_id: Option<RequestId>,
    ) -> Result<(MessageView, ThreadView), Error> {
        reply.request = request_id.map(|id| RequestKey {
            id,
            fingerprint: self.fingerprints.of_reply(&reply),
        });
        self.carry_out_sending(caller, Command::Reply(reply)).await
    }

    async fn carry_out_sending(
        &self,
        caller: &Caller,
        command: Command,
    ) -> Result<(MessageView, ThreadView), Error> {
        match self.carry_out(caller, command).await? {
            Outcome::Sent(sent) => Ok(*sent),
            other => Err(unexpected(&other)),
        }
    }

    /// Replaces a message's content.
    pub async fn edit(&self, caller: &Caller, edit: Edit) -> Result<MessageView, Error> {
        match self.carry_out(caller, Command::Edit(edit)).await? {
            Outcome::Edited(message) => Ok(*message),
            other => Err(unexpected(&other)),
        }
    }

    /// Moves the caller's read mark forward.
    pub async fn mark_read(&self, caller: &Caller, mark: MarkRead) -> Result<ThreadView, Error> {
        self.change_view(caller, Command::MarkRead(mark)).await
    }

    /// Moves the caller's read mark back to before the newest message of somebody else.
    pub async fn mark_unread(
        &self,
        caller: &Caller,
        thread: ThreadId,
    ) -> Result<ThreadView, Error> {
        let command = Command::MarkUnread(caller.user.clone(), thread);
        self.change_view(caller, command).await
    }

    /// Puts a thread into the caller's deleted folder.
    pub async fn delete(&self, caller: &Caller, thread: ThreadId) -> Result<ThreadView, Error> {
        let command = Command::Delete(caller.user.clone(), thread);
        self.change_view(caller, command).await
    }

    /// Takes a thread out of the caller's deleted folder.
    pub async fn restore(&self, caller: &Caller, thread: ThreadId) -> Result<ThreadView, Error> {
        let command = Command::Restore(caller.user.clone(), thread);
        self.change_view(caller, command).await
    }
}
