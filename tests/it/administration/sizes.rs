//! How much tenants hold, and who may know.

use letterbox::{
    model::TenantId,
    pb::admin::{ListTenantsRequest, Tenant},
};

use crate::support::prelude::*;

/// Sizes in short: `shop: 2 users, 1 threads, 2 messages, 3 events`.
fn sizes(tenants: &[Tenant]) -> Vec<String> {
    let sizes = tenants.iter().map(|tenant| {
        let Tenant {
            name,
            user_count,
            thread_count,
            message_count,
            event_count,
        } = tenant;
        format!(
            "{name}: {user_count} users, {thread_count} threads, {message_count} messages, \
             {event_count} events"
        )
    });
    sizes.collect()
}

/// Two applications that are in use, and an operator.
async fn two_applications(server: &TestServer) -> [Client; 3] {
    let admin = server.client("root").as_admin();
    let [shop, club, ops] = ["shop", "club", "ops"].map(|tenant| admin.in_tenant(tenant));
    let plans = shop.start("plans", &["ben"], "Lunch?").await;
    shop.reply(&plans.thread, "Anybody?").await;
    shop.mark_unread(&shop.start("note", &["root"], "Milk").await.thread)
        .await;
    shop.delete(&plans.thread).await;
    club.summary().await;
    [shop, club, ops]
}

const SHOP: &str = "shop: 2 users, 2 threads, 3 messages, 4 events";
const CLUB: &str = "club: 1 users, 0 threads, 0 messages, 0 events";
const OPS: &str = "ops: 1 users, 0 threads, 0 messages, 0 events";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_how_much_the_own_tenant_holds_and_of_others_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let [shop, club, ops] = two_applications(&server).await;
    assert_eq!(sizes(&shop.tenants().await), [SHOP]);
    assert_eq!(sizes(&club.tenants().await), [CLUB]);
    assert_eq!(sizes(&ops.tenants().await), [OPS]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_admins_of_the_operators_tenant_see_how_much_all_of_them_hold(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let setup =
        TestServer::setup().settings(|settings| settings.operator_tenant = TenantId::parse("ops"));
    let server = setup.start(database).await;
    let [shop, club, ops] = two_applications(&server).await;
    assert_eq!(sizes(&shop.tenants().await), [SHOP]);
    assert_eq!(sizes(&club.tenants().await), [CLUB]);
    assert_eq!(sizes(&ops.tenants().await), [CLUB, OPS, SHOP]);
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTenantsRequest {
            page_size: 1,
            page_token,
        };
        let page = ops.list_tenants(request).await.expect("a page");
        listed.extend(page.tenants);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes(&listed), [CLUB, OPS, SHOP]);
}
