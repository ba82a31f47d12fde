//! What the admins of a tenant see and change.

use super::{ProfileChange, TenantId, UserId, UserRecord};

/// What an admin asks to have changed, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeUsers {
    /// Who asks.
    pub caller: UserId,
    /// What becomes of the users.
    pub change: UserChange,
}

/// What becomes of users, each of whom is named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// They are known from now on, and this is told of them; those who are there already too.
    Create(Vec<(UserId, ProfileChange)>),
    /// This is told of them.
    Update(Vec<(UserId, ProfileChange)>),
    /// They can no longer be written to where only known users can.
    Deactivate(Vec<UserId>),
    /// They can be again.
    Reactivate(Vec<UserId>),
}

impl UserChange {
    /// How many users one change names at most.
    pub const USERS_MAX: usize = 1_000;

    /// Whom it names, in its order.
    pub fn users(&self) -> Vec<&UserId> {
        match self {
            Self::Create(told) | Self::Update(told) => told.iter().map(|(id, _)| id).collect(),
            Self::Deactivate(ids) | Self::Reactivate(ids) => ids.iter().collect(),
        }
    }
}

/// Which users to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserFilter {
    /// Everybody.
    All,
    /// Whoever has not been deactivated.
    Active,
    /// Whoever has.
    Deactivated,
}

impl UserFilter {
    /// Whether a user is to be listed.
    pub fn admits(self, record: &UserRecord) -> bool {
        match self {
            Self::All => true,
            Self::Active => record.deactivated_time.is_none(),
            Self::Deactivated => record.deactivated_time.is_some(),
        }
    }
}

/// A page of a tenant's users, in the order in which the tenant first heard of them.
#[derive(Clone, Debug)]
pub struct UserRows {
    /// The users.
    pub users: Vec<UserRecord>,
    /// The place to read on from; none: nothing follows.
    pub next: Option<i64>,
}

/// How much a tenant holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Threads.
    pub threads: i64,
    /// Messages.
    pub messages: i64,
}

/// A tenant, and how much it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSummary {
    /// Its name.
    pub tenant: TenantId,
    /// What is in it.
    pub sizes: Sizes,
    /// Users that it has heard of.
    pub users: i64,
    /// Events that are kept.
    pub events: i64,
}

/// Which tenants to list, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantPage {
    /// This one alone.
    One(TenantId),
    /// So many of them all, after this one.
    After(Option<TenantId>, u32),
}
