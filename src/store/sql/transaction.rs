//! A transaction that writes: load what a batch touches, save what it changed.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use serde::Serialize;
use sqlx::Transaction as SqlxTransaction;
use uuid::Uuid;

use super::{
    Backend, Param, Statements, json_rows,
    rows::{self, LoadAnswer, parse},
    store::Shared,
};
use crate::{
    model::{
        Changes, EventKind, Fingerprint, LastMessage, Loaded, LogPosition, Message, MessageId,
        Needs, Participant, PastRequest, RequestId, TenantId, Thread, ThreadId, ThreadState, User,
        UserId, UserRecord,
    },
    store::{Error, Expiry, Result, Transaction},
};

/// How many events, or request ids, one turn removes at most.
const EXPIRE_ROWS: i64 = 1_000;

/// A transaction over one connection.
pub(crate) struct SqlTransaction<DB: Backend> {
    shared: Arc<Shared<DB>>,
    transaction: SqlxTransaction<'static, DB>,
    /// The numbers of the users that were loaded last; they mean something in one tenant only.
    numbers: HashMap<UserId, i64>,
    highest_number: i64,
}

impl<DB: Backend> SqlTransaction<DB> {
    pub(super) fn new(shared: Arc<Shared<DB>>, transaction: SqlxTransaction<'static, DB>) -> Self {
        Self {
            shared,
            transaction,
            numbers: HashMap::new(),
            highest_number: 0,
        }
    }

    async fn fetch(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<Option<String>> {
        let sql = statement(&self.shared.statements);
        DB::fetch(&mut self.transaction, sql, params)
            .await
            .map_err(DB::classify)
    }

    async fn execute(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<u64> {
        let sql = statement(&self.shared.statements);
        DB::execute(&mut self.transaction, sql, params)
            .await
            .map_err(DB::classify)
    }

    /// Saves rows of one table; no row, no statement.
    async fn save_rows<Row: Serialize>(
        &mut self,
        tenant: &TenantId,
        statement: impl Fn(&Statements) -> &Arc<str>,
        rows: Vec<Row>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let params = [Param::Text(tenant.as_str()), json_rows(&rows)?];
        let written = self.execute(statement, &params).await?;
        // The tenant comes from the head row: without one nothing would be written, silently.
        if usize::try_from(written).ok() == Some(rows.len()) {
            Ok(())
        } else {
            Err(Error::defect(format!(
                "{written} rows written instead of {}",
                rows.len()
            )))
        }
    }

    /// Gives numbers to users that have none yet, and saves who is new or newly known.
    async fn save_users(&mut self, tenant: &TenantId, users: &[&UserRecord]) -> Result<()> {
        let mut rows = Vec::with_capacity(users.len());
        for record in users {
            let id = &record.user.id;
            let number = self.numbers.get(id).copied().unwrap_or_else(|| {
                self.highest_number += 1;
                self.numbers.insert(id.clone(), self.highest_number);
                self.highest_number
            });
            rows.push((number, id, record.known_time));
        }
        self.save_rows(tenant, |sql| &sql.save_users, rows).await
    }

    fn number(&self, user: &UserId) -> Result<i64> {
        self.numbers
            .get(user)
            .copied()
            .ok_or_else(|| Error::defect("a user without a number"))
    }
}

#[async_trait]
impl<DB: Backend> Transaction for SqlTransaction<DB> {
    async fn take_turn(&mut self, tenant: &TenantId) -> Result<()> {
        let params = [Param::Text(tenant.as_str())];
        if self.fetch(|sql| &sql.take_turn, &params).await?.is_some() {
            return Ok(());
        }
        self.execute(|sql| &sql.create_head, &params).await?;
        match self.fetch(|sql| &sql.take_turn, &params).await? {
            Some(_) => Ok(()),
            None => Err(Error::defect("a tenant without a head")),
        }
    }

    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let users: Vec<_> = needs.users.iter().map(|user| (user,)).collect();
        let threads: Vec<_> = needs.threads.iter().map(|id| (hex(id.0),)).collect();
        let messages: Vec<_> = needs.messages.iter().map(|id| (hex(id.0),)).collect();
        let requests: Vec<_> = needs
            .requests
            .iter()
            .map(|(user, id)| (user, hex(id.0)))
            .collect();
        let marks: Vec<_> = needs
            .sent_up_to
            .iter()
            .map(|(user, thread, number)| (user, hex(thread.0), number))
            .collect();
        let params = [
            Param::Text(tenant.as_str()),
            json_rows(&users)?,
            json_rows(&threads)?,
            json_rows(&messages)?,
            json_rows(&requests)?,
            json_rows(&marks)?,
        ];
        let json = self.fetch(|sql| &sql.load, &params).await?;
        let answer: LoadAnswer = parse(&json.unwrap_or_default())?;
        self.highest_number = answer.highest_user.unwrap_or(0);
        let (loaded, numbers) = loaded(answer)?;
        self.numbers = numbers;
        Ok(loaded)
    }

    async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()> {
        self.save_users(tenant, &changes.users).await?;

        let mut rows = Vec::with_capacity(changes.threads.len());
        for thread in &changes.threads {
            rows.push((
                hex(thread.id.0),
                &thread.subject,
                thread.create_time,
                thread.update_time,
                self.number(&thread.starter)?,
                thread.message_count,
            ));
        }
        self.save_rows(tenant, |sql| &sql.save_threads, rows)
            .await?;

        let mut rows = Vec::with_capacity(changes.participants.len());
        for (thread, participant) in &changes.participants {
            rows.push((
                hex(thread.0),
                self.number(&participant.user)?,
                participant.place,
                rows::placement_number(participant.placement),
                participant.placement_time,
                participant.read_number,
                participant.unread_count,
                participant.sent_count,
                participant.last_sent_number,
                participant.position,
            ));
        }
        self.save_rows(tenant, |sql| &sql.save_participants, rows)
            .await?;

        let mut rows = Vec::with_capacity(changes.messages.len());
        for message in &changes.messages {
            rows.push((
                hex(message.id.0),
                hex(message.thread.0),
                message.number,
                self.number(&message.sender)?,
                message.sender_count,
                message.position,
                &message.content,
                message.send_time,
                message.edit_time,
                message.revision,
            ));
        }
        self.save_rows(tenant, |sql| &sql.save_messages, rows)
            .await?;

        let rows = changes
            .revisions
            .iter()
            .map(|former| {
                (
                    hex(former.message.0),
                    former.revision,
                    &former.content,
                    former.replace_time,
                )
            })
            .collect();
        self.save_rows(tenant, |sql| &sql.save_revisions, rows)
            .await?;

        let mut rows = Vec::with_capacity(changes.requests.len());
        for request in &changes.requests {
            rows.push((
                self.number(&request.user)?,
                hex(request.id.0),
                fingerprint_text(&request.fingerprint),
                hex(request.message.0),
                request.time,
            ));
        }
        self.save_rows(tenant, |sql| &sql.save_requests, rows)
            .await?;

        let mut rows = Vec::with_capacity(changes.mailboxes.len());
        for (user, mailbox) in &changes.mailboxes {
            rows.push((
                self.number(user)?,
                mailbox.inbox,
                mailbox.unread,
                mailbox.sent,
                mailbox.deleted,
                mailbox.all,
                mailbox.unread_messages,
            ));
        }
        self.save_rows(tenant, |sql| &sql.save_mailboxes, rows)
            .await?;

        let mut events = Vec::with_capacity(changes.events.len());
        let mut audience = Vec::new();
        for event in changes.events {
            events.push((
                event.position,
                hex(event.id.0),
                kind_number(event.kind),
                event.time,
                hex(event.thread.0),
                event.message.map(|message| hex(message.0)),
                self.number(&event.actor)?,
                event.request_id.map(|request| hex(request.0)),
            ));
            for user in &event.audience {
                audience.push((self.number(user)?, event.position));
            }
        }
        self.save_rows(tenant, |sql| &sql.save_events, events)
            .await?;
        self.save_rows(tenant, |sql| &sql.save_audience, audience)
            .await
    }

    async fn expire(&mut self, tenant: &TenantId, expiry: Expiry) -> Result<bool> {
        let name = Param::Text(tenant.as_str());
        let before = Param::Int(expiry.events_before.0);
        let params = [name, before, Param::Int(EXPIRE_ROWS + 1)];
        let json = self.fetch(|sql| &sql.first_kept, &params).await?;
        let (first_kept, oldest): (Option<i64>, Option<i64>) = parse(&json.unwrap_or_default())?;
        let mut more = false;
        if let (Some(first_kept), Some(oldest)) = (first_kept, oldest)
            && first_kept > oldest
        {
            let params = [Param::Text(tenant.as_str()), Param::Int(first_kept)];
            self.execute(|sql| &sql.expire_audience, &params).await?;
            self.execute(|sql| &sql.expire_events, &params).await?;
            more = first_kept - oldest >= EXPIRE_ROWS;
        }
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(expiry.requests_before.0),
            Param::Int(EXPIRE_ROWS),
        ];
        let requests = self.execute(|sql| &sql.expire_requests, &params).await?;
        Ok(more || i64::try_from(requests).unwrap_or(0) >= EXPIRE_ROWS)
    }

    async fn holds_event(&mut self, tenant: &TenantId, position: LogPosition) -> Result<bool> {
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(position.number),
            Param::Id(position.event.0),
        ];
        Ok(self.fetch(|sql| &sql.holds_event, &params).await?.is_some())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self {
            shared,
            transaction,
            ..
        } = *self;
        shared.commit(transaction).await
    }

    async fn roll_back(self: Box<Self>) {
        // A failure means that the connection is gone, and the transaction with it.
        let _ = self.transaction.rollback().await;
    }
}

fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

fn kind_number(kind: EventKind) -> i64 {
    match kind {
        EventKind::MessageSent => 1,
        EventKind::MessageEdited => 2,
        EventKind::ThreadChanged => 3,
    }
}

fn fingerprint_text(fingerprint: &Fingerprint) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    STANDARD_NO_PAD.encode(&fingerprint.0)
}

fn fingerprint(text: &str) -> Result<Fingerprint> {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    STANDARD_NO_PAD
        .decode(text)
        .map(Fingerprint)
        .map_err(Error::defect)
}

/// The rows as the model knows them: users by id. Also the users' numbers.
fn loaded(answer: LoadAnswer) -> Result<(Loaded, HashMap<UserId, i64>)> {
    let mut loaded = Loaded {
        newest_position: rows::head(answer.head).number,
        ..Loaded::default()
    };
    let mut ids = HashMap::new();
    for row in answer.users.unwrap_or_default() {
        ids.insert(row.number, row.id.clone());
        loaded
            .mailboxes
            .insert(row.id.clone(), row.mailbox.unwrap_or_default());
        let record = UserRecord {
            user: User {
                id: row.id.clone(),
                profile: row.profile,
            },
            known_time: row.known_time,
        };
        loaded.users.insert(row.id, record);
    }
    let id_of = |number: i64| -> Result<UserId> {
        let id = ids.get(&number).cloned();
        id.ok_or_else(|| Error::defect("a number without a user"))
    };

    for row in answer.threads.unwrap_or_default() {
        let id = ThreadId(row.id.id());
        let state = ThreadState {
            thread: Thread {
                id,
                subject: row.subject,
                create_time: row.create_time,
                update_time: row.update_time,
                starter: id_of(row.starter)?,
                message_count: row.message_count,
            },
            first_message_time: row.create_time,
            last_message: LastMessage {
                sender: id_of(row.last_message.sender)?,
                send_time: row.last_message.send_time,
                snippet: row.last_message.snippet,
            },
            participants: Vec::new(),
        };
        loaded.threads.insert(id, state);
    }
    for row in answer.participants.unwrap_or_default() {
        let participant = Participant {
            user: id_of(row.user)?,
            place: row.place,
            placement: rows::placement(row.placement)?,
            placement_time: row.placement_time,
            read_number: row.read_number,
            unread_count: row.unread_count,
            sent_count: row.sent_count,
            last_sent_number: row.last_sent_number,
            position: row.position,
        };
        if let Some(state) = loaded.threads.get_mut(&ThreadId(row.thread.id())) {
            state.participants.push(participant);
        }
    }
    for row in answer.messages.unwrap_or_default() {
        let message = Message {
            id: MessageId(row.id.id()),
            thread: ThreadId(row.thread.id()),
            number: row.number,
            sender: id_of(row.sender)?,
            sender_count: row.sender_count,
            position: row.position,
            content: row.content,
            send_time: row.send_time,
            edit_time: row.edit_time,
            revision: row.revision,
        };
        loaded.messages.insert(message.id, message);
    }
    for row in answer.requests.unwrap_or_default() {
        let past = PastRequest {
            user: id_of(row.user)?,
            id: RequestId(row.request_id.id()),
            fingerprint: fingerprint(&row.fingerprint)?,
            message: MessageId(row.message.id()),
            time: row.time,
        };
        loaded.requests.insert((past.user.clone(), past.id), past);
    }
    for (user, thread, number, count) in answer.sent_up_to.unwrap_or_default() {
        loaded
            .sent_up_to
            .insert((user, ThreadId(thread.id()), number), count);
    }
    let numbers = ids.into_iter().map(|(number, id)| (id, number)).collect();
    Ok((loaded, numbers))
}
