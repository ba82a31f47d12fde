//! Page tokens and resume tokens.

use letterbox::{
    model::TenantId,
    pb::admin::{ListTenantsRequest, ListUsersRequest},
};

use super::{Target, judged};
use crate::support::prelude::*;

/// A server, and the tokens that it has made.
pub(super) struct Tokens {
    server: TestServer,
    ana: Client,
    thread: String,
    page_of_inbox: String,
    page_of_thread: String,
    resume: String,
    page_of_users: String,
    page_of_tenants: String,
}

impl Target for Tokens {
    const NAME: &'static str = "tokens";

    const WORDS: &'static [&'static str] = &["AQ", "AA", "_", "-", "=", "==", "AAAAAAAA", "gICA"];

    async fn start(database: Database) -> Self {
        let setup = TestServer::setup();
        let setup =
            setup.settings(|settings| settings.operator_tenant = TenantId::parse("default"));
        let server = setup.start(database).await;
        let ana = server.client("ana").as_admin();
        ana.in_tenant("shop").summary().await;
        ana.start("other", &["ben"], "Hello").await;
        let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
        ana.reply(&thread, "Anybody?").await;
        let page = ListInboxRequest {
            page_size: 1,
            folder: Folder::All.into(),
            ..Default::default()
        };
        let page = ana.list_inbox(page).await.expect("a page");
        let messages = GetThreadRequest {
            thread_id: thread.clone(),
            page_size: 1,
            ..Default::default()
        };
        let messages = ana.get_thread(messages).await.expect("a page");
        let users = ListUsersRequest {
            page_size: 1,
            ..Default::default()
        };
        let users = ana.list_users(users).await.expect("a page");
        let tenants = ListTenantsRequest {
            page_size: 1,
            ..Default::default()
        };
        let tenants = ana.list_tenants(tenants).await.expect("a page");
        Self {
            server,
            ana,
            thread,
            page_of_inbox: page.next_page_token,
            page_of_thread: messages.next_page_token,
            resume: page.resume_token,
            page_of_users: users.next_page_token,
            page_of_tenants: tenants.next_page_token,
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let tokens = [
            &self.page_of_inbox,
            &self.page_of_thread,
            &self.resume,
            &self.page_of_users,
            &self.page_of_tenants,
        ];
        tokens.map(|token| token.clone().into_bytes()).into()
    }

    async fn attempt(&self, input: &[u8]) -> Result<String, String> {
        let token = String::from_utf8_lossy(input).into_owned();
        let inbox = self.ana.list_inbox(ListInboxRequest {
            folder: Folder::All.into(),
            page_token: token.clone(),
            ..Default::default()
        });
        let inbox = taken(inbox.await, &token, &self.page_of_inbox)?;
        let thread = self.ana.get_thread(GetThreadRequest {
            thread_id: self.thread.clone(),
            page_token: token.clone(),
            ..Default::default()
        });
        let thread = taken(thread.await, &token, &self.page_of_thread)?;
        let watch = self.ana.try_watch(WatchMessagesRequest {
            resume_token: token.clone(),
            ..Default::default()
        });
        let watch = watch.await.map(|watch| watch.ready_token);
        let watch = taken(watch, &token, &self.resume)?;
        let users = self.ana.list_users(ListUsersRequest {
            page_token: token.clone(),
            ..Default::default()
        });
        let users = taken(users.await, &token, &self.page_of_users)?;
        let tenants = self.ana.list_tenants(ListTenantsRequest {
            page_token: token.clone(),
            ..Default::default()
        });
        let tenants = taken(tenants.await, &token, &self.page_of_tenants)?;
        // Another tenant's is as foreign as a forged one.
        let elsewhere = self.server.client("ana").in_tenant("elsewhere");
        let elsewhere = elsewhere.list_inbox(ListInboxRequest {
            folder: Folder::All.into(),
            page_token: token.clone(),
            ..Default::default()
        });
        taken(elsewhere.await, &token, "")?;
        Ok([inbox, thread, watch, users, tenants].join(", "))
    }
}

/// Checks that a token is taken where it is the one that was made for this, and else is not.
fn taken<T>(answer: Result<T, tonic::Status>, token: &str, made: &str) -> Result<String, String> {
    match answer {
        Ok(_) if token == made || token.is_empty() => Ok("taken".into()),
        Ok(_) => Err("a token was taken that was made for nothing of the kind".into()),
        Err(status) if token == made => Err(format!("its own token was refused: {status:?}")),
        Err(status) => judged(&status),
    }
}
