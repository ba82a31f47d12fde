//! The use cases of admins.

use super::{Caller, Error, Messenger, unexpected};
use crate::model::{
    ChangeUsers, Command, Outcome, TenantPage, TenantSummary, UserChange, UserFilter, UserRecord,
    UserRows,
};

impl Messenger {
    /// Changes users of the caller's tenant, all or none; answers with them as they are then, in
    /// the order in which they were named.
    pub async fn change_users(
        &self,
        caller: &Caller,
        change: UserChange,
    ) -> Result<Vec<UserRecord>, Error> {
        let command = Command::ChangeUsers(ChangeUsers {
            caller: caller.user.clone(),
            change,
        });
        match self.carry_out(caller, command).await? {
            Outcome::UsersChanged(users) => Ok(users),
            other => Err(unexpected(&other)),
        }
    }

    /// Users of the caller's tenant: of so many after a place, those whom the filter admits.
    pub async fn users(
        &self,
        caller: &Caller,
        after: i64,
        size: u32,
        filter: UserFilter,
    ) -> Result<UserRows, Error> {
        self.meet(caller).await?;
        let mut rows = self.store.users(&caller.tenant, after, size).await?;
        rows.users.retain(|record| filter.admits(record));
        Ok(rows)
    }

    /// Tenants with their sizes, by name; whether more follow.
    pub async fn tenants(
        &self,
        caller: &Caller,
        page: &TenantPage,
    ) -> Result<(Vec<TenantSummary>, bool), Error> {
        self.meet(caller).await?;
        Ok(self.store.tenants(page).await?)
    }
}
