//! The six rpcs of administration: parse, call, build.

mod request;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    auth::{Identity, Scopes},
    check::require,
    handler::{answer, opened},
    pb::admin::{self as pb, admin_service_server::AdminService},
    response::timestamp,
    status::Failure,
    token::{List, PageStart, TokenKey},
};
use crate::{
    messenger::{Caller, Messenger},
    model::{
        Direction, Ids, TenantId, TenantPage, TenantSummary, UserChange, UserFilter, UserRecord,
    },
};

/// `letterbox.admin.v1.AdminService`, over a [`Messenger`].
pub struct Administration {
    messenger: Arc<Messenger>,
    tokens: TokenKey,
    ids: Arc<dyn Ids>,
    operator_tenant: Option<TenantId>,
}

impl Administration {
    /// The service; the admins of `operator_tenant` see how much every tenant holds, and those of
    /// the others only how much their own does.
    pub fn new(
        messenger: Arc<Messenger>,
        tokens: TokenKey,
        ids: Arc<dyn Ids>,
        operator_tenant: Option<TenantId>,
    ) -> Self {
        Self {
            messenger,
            tokens,
            ids,
            operator_tenant,
        }
    }

    /// The caller, who has the scope, and what they ask for.
    async fn admitted<T, P>(
        &self,
        request: Request<T>,
        parse: impl FnOnce(&Caller, T) -> Result<P, Failure>,
    ) -> Result<(Caller, P), Failure> {
        let parse = |identity: &Identity, request| {
            require(identity, Scopes::ADMIN)?;
            parse(&identity.caller, request)
        };
        let (identity, asked) = opened(&self.messenger, request, parse).await?;
        Ok((identity.caller, asked))
    }

    /// Changes users, and builds an answer of them.
    async fn change<T, R>(
        &self,
        request: Request<T>,
        parse: impl FnOnce(T) -> Result<UserChange, Failure>,
        build: impl FnOnce(Vec<pb::User>) -> R,
    ) -> Result<Response<R>, Status> {
        answer(&*self.ids, async {
            let parse = |_: &_, request| parse(request);
            let (caller, change) = self.admitted(request, parse).await?;
            let users = self.messenger.change_users(&caller, change).await?;
            Ok(build(users.into_iter().map(Into::into).collect()))
        })
        .await
    }

    async fn users_page(
        &self,
        caller: &Caller,
        (after, size, filter): (i64, u32, UserFilter),
    ) -> Result<pb::ListUsersResponse, Failure> {
        let rows = self.messenger.users(caller, after, size, filter).await?;
        let next = rows.next.map(|from| {
            let direction = Direction::Forward;
            let start = PageStart { direction, from };
            self.tokens.page_token(caller, List::Users(filter), start)
        });
        Ok(pb::ListUsersResponse {
            users: rows.users.into_iter().map(Into::into).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    async fn tenants_page(
        &self,
        caller: &Caller,
        (after, size): (Option<TenantId>, u32),
    ) -> Result<pb::ListTenantsResponse, Failure> {
        let sees_all = self.operator_tenant.as_ref() == Some(&caller.tenant);
        let page = if sees_all {
            TenantPage::After(after, size)
        } else {
            TenantPage::One(caller.tenant.clone())
        };
        let (tenants, more) = self.messenger.tenants(caller, &page).await?;
        let last = tenants.last().filter(|_| more);
        let next = last.map(|last| self.tokens.tenants_token(caller, &last.tenant));
        Ok(pb::ListTenantsResponse {
            tenants: tenants.into_iter().map(Into::into).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }
}

#[tonic::async_trait]
impl AdminService for Administration {
    async fn batch_create_users(
        &self,
        request: Request<pb::BatchCreateUsersRequest>,
    ) -> Result<Response<pb::BatchCreateUsersResponse>, Status> {
        let parse = |request: pb::BatchCreateUsersRequest| {
            request::profiles(&request.users).map(UserChange::Create)
        };
        let build = |users| pb::BatchCreateUsersResponse { users };
        self.change(request, parse, build).await
    }

    async fn batch_update_users(
        &self,
        request: Request<pb::BatchUpdateUsersRequest>,
    ) -> Result<Response<pb::BatchUpdateUsersResponse>, Status> {
        let parse = |request: pb::BatchUpdateUsersRequest| {
            request::profiles(&request.users).map(UserChange::Update)
        };
        let build = |users| pb::BatchUpdateUsersResponse { users };
        self.change(request, parse, build).await
    }

    async fn batch_deactivate_users(
        &self,
        request: Request<pb::BatchDeactivateUsersRequest>,
    ) -> Result<Response<pb::BatchDeactivateUsersResponse>, Status> {
        let parse = |request: pb::BatchDeactivateUsersRequest| {
            request::ids(&request.user_ids).map(UserChange::Deactivate)
        };
        let build = |users| pb::BatchDeactivateUsersResponse { users };
        self.change(request, parse, build).await
    }

    async fn batch_reactivate_users(
        &self,
        request: Request<pb::BatchReactivateUsersRequest>,
    ) -> Result<Response<pb::BatchReactivateUsersResponse>, Status> {
        let parse = |request: pb::BatchReactivateUsersRequest| {
            request::ids(&request.user_ids).map(UserChange::Reactivate)
        };
        let build = |users| pb::BatchReactivateUsersResponse { users };
        self.change(request, parse, build).await
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        answer(&*self.ids, async {
            let parse = |caller: &_, request| request::users(&self.tokens, caller, &request);
            let (caller, page) = self.admitted(request, parse).await?;
            self.users_page(&caller, page).await
        })
        .await
    }

    async fn list_tenants(
        &self,
        request: Request<pb::ListTenantsRequest>,
    ) -> Result<Response<pb::ListTenantsResponse>, Status> {
        answer(&*self.ids, async {
            let parse = |caller: &_, request| request::tenants(&self.tokens, caller, &request);
            let (caller, page) = self.admitted(request, parse).await?;
            self.tenants_page(&caller, page).await
        })
        .await
    }
}

impl From<UserRecord> for pb::User {
    fn from(record: UserRecord) -> Self {
        let profile = record.user.profile;
        Self {
            id: record.user.id.as_str().to_owned(),
            first_name: profile.first_name,
            last_name: profile.last_name,
            email: profile.email,
            known_time: record.known_time.map(timestamp),
            profile_time: record.profile_time.map(timestamp),
            deactivated_time: record.deactivated_time.map(timestamp),
        }
    }
}

impl From<TenantSummary> for pb::Tenant {
    fn from(summary: TenantSummary) -> Self {
        Self {
            name: summary.tenant.as_str().to_owned(),
            user_count: summary.users,
            thread_count: summary.sizes.threads,
            message_count: summary.sizes.messages,
            event_count: summary.events,
        }
    }
}
