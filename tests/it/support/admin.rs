//! An admin: the same client, on the other service.

use letterbox::pb::admin::{
    BatchCreateUsersRequest, BatchCreateUsersResponse, BatchDeactivateUsersRequest,
    BatchDeactivateUsersResponse, BatchReactivateUsersRequest, BatchReactivateUsersResponse,
    BatchUpdateUsersRequest, BatchUpdateUsersResponse, ListTenantsRequest, ListTenantsResponse,
    ListUsersRequest, ListUsersResponse, Tenant, User, UserFilter, UserProfile,
};
use tonic::Status;

use super::Client;

/// The calls as the service has them.
macro_rules! calls {
    ($($name:ident: $request:ty => $response:ty;)*) => {
        $(
            pub(crate) async fn $name(&self, request: $request) -> Result<$response, Status> {
                let answer = self.admin.clone().$name(self.request(request)).await?;
                Ok(answer.into_inner())
            }
        )*
    };
}

impl Client {
    calls! {
        batch_create_users: BatchCreateUsersRequest => BatchCreateUsersResponse;
        batch_update_users: BatchUpdateUsersRequest => BatchUpdateUsersResponse;
        batch_deactivate_users: BatchDeactivateUsersRequest => BatchDeactivateUsersResponse;
        batch_reactivate_users: BatchReactivateUsersRequest => BatchReactivateUsersResponse;
        list_users: ListUsersRequest => ListUsersResponse;
        list_tenants: ListTenantsRequest => ListTenantsResponse;
    }

    /// The same caller as an admin.
    pub(crate) fn as_admin(&self) -> Self {
        self.with_scopes("letterbox.admin")
    }

    /// Creates users of whom this is told.
    pub(crate) async fn create_users(&self, users: Vec<UserProfile>) -> Vec<User> {
        let created = self.batch_create_users(BatchCreateUsersRequest { users });
        created.await.expect("users are created").users
    }

    /// Changes what is told of users.
    pub(crate) async fn update_users(&self, users: Vec<UserProfile>) -> Vec<User> {
        let updated = self.batch_update_users(BatchUpdateUsersRequest { users });
        updated.await.expect("users are updated").users
    }

    /// Deactivates users.
    pub(crate) async fn deactivate(&self, ids: &[&str]) -> Vec<User> {
        let user_ids = ids.iter().copied().map(str::to_owned).collect();
        let request = BatchDeactivateUsersRequest { user_ids };
        let deactivated = self.batch_deactivate_users(request).await;
        deactivated.expect("users are deactivated").users
    }

    /// Reactivates users.
    pub(crate) async fn reactivate(&self, ids: &[&str]) -> Vec<User> {
        let user_ids = ids.iter().copied().map(str::to_owned).collect();
        let request = BatchReactivateUsersRequest { user_ids };
        let reactivated = self.batch_reactivate_users(request).await;
        reactivated.expect("users are reactivated").users
    }

    /// The tenant's first 200 users.
    pub(crate) async fn users(&self, filter: UserFilter) -> Vec<User> {
        let request = ListUsersRequest {
            page_size: 200,
            filter: filter.into(),
            ..Default::default()
        };
        let page = self.list_users(request).await.expect("users are listed");
        assert_eq!(page.next_page_token, "");
        page.users
    }

    /// The first 200 tenants that this caller sees.
    pub(crate) async fn tenants(&self) -> Vec<Tenant> {
        let request = ListTenantsRequest {
            page_size: 200,
            ..Default::default()
        };
        let page = self
            .list_tenants(request)
            .await
            .expect("tenants are listed");
        assert_eq!(page.next_page_token, "");
        page.tenants
    }
}

/// Nothing told of this user.
pub(crate) fn named(id: &str) -> UserProfile {
    UserProfile {
        id: id.to_owned(),
        ..Default::default()
    }
}

/// All told of this user: `ana Ana Almeida ana@example.org`.
pub(crate) fn told(words: &str) -> UserProfile {
    let mut words = words.split(' ').map(str::to_owned);
    UserProfile {
        id: words.next().expect("an id"),
        first_name: words.next(),
        last_name: words.next(),
        email: words.next(),
    }
}

/// The ids of users, as an admin sees them.
pub(crate) fn ids(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.id.as_str()).collect()
}
