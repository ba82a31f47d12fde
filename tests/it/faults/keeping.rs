//! Reads what is kept, through the API.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{
    accounts::{Kept, KeptThread},
    clients::USERS,
    crowd::{Connections, Crowd},
};
use crate::{
    random::words,
    reference::{MessageSeen, Summary, View},
    support::*,
};

/// All threads of all users, when nothing happens any more.
pub(crate) async fn read(crowd: &Crowd) -> Kept {
    let mut kept = Kept::default();
    for (number, user) in USERS.into_iter().enumerate() {
        let client = Connections::new(user, number).next(crowd);
        let summary = client.summary().await;
        let count = |count: i32| usize::try_from(count).expect("counts are not negative");
        let summary = Summary {
            inbox_threads: count(summary.inbox_thread_count),
            unread_threads: count(summary.unread_thread_count),
            deleted_threads: count(summary.deleted_thread_count),
            unread_messages: summary.unread_message_count,
        };
        kept.summaries.insert(user.to_owned(), summary);
        for view in views(&client, crowd).await {
            let name = view.thread.name;
            let thread = match kept.threads.entry(name) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(KeptThread {
                    messages: messages(&client, crowd, name).await,
                    views: BTreeMap::new(),
                }),
            };
            thread.views.insert(user.to_owned(), view);
        }
    }
    kept
}

async fn views(client: &Client, crowd: &Crowd) -> Vec<View> {
    let mut views = Vec::new();
    let mut request = ListInboxRequest {
        folder: Folder::All.into(),
        page_size: 200,
        ..Default::default()
    };
    loop {
        let page = client.list_inbox(request.clone()).await;
        let page = page.expect("a folder is listed");
        let threads = page.threads.into_iter();
        views.extend(threads.map(|view| words::view(&crowd.names, Some(view))));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return views;
        }
    }
}

async fn messages(client: &Client, crowd: &Crowd, thread: usize) -> Vec<MessageSeen> {
    let mut messages = Vec::new();
    let mut request = GetThreadRequest {
        thread_id: words::thread_id(&crowd.names, thread),
        page_size: 200,
        ..Default::default()
    };
    loop {
        let page = client.get_thread(request.clone()).await;
        let page = page.expect("a thread is read");
        let read = page.messages.into_iter();
        messages.extend(read.map(|one| words::message_seen(&crowd.names, Some(one))));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return messages;
        }
    }
}
