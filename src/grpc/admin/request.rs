//! From protobuf to what an admin asks for.

use std::{collections::HashSet, fmt};

use super::{
    super::{
        check::{Check, KNOWN_VALUE, PAGE_TOKEN},
        status::Failure,
        token::{List, TokenKey},
    },
    pb,
};
use crate::{
    messenger::Caller,
    model::{ProfileChange, TenantId, UserChange, UserFilter, UserId},
};

/// What is told of users.
pub(super) fn profiles(users: &[pb::UserProfile]) -> Result<Vec<(UserId, ProfileChange)>, Failure> {
    let mut check = Check::default();
    check_count(&mut check, "users", users.len());
    let mut named = Named::default();
    let mut told = Vec::new();
    for (index, user) in users.iter().enumerate() {
        let id = named.id(&mut check, format_args!("users[{index}].id"), &user.id);
        let fields = [
            ("first_name", &user.first_name),
            ("last_name", &user.last_name),
            ("email", &user.email),
        ];
        for (name, value) in fields {
            if value
                .as_deref()
                .is_some_and(|value| value.contains(char::is_control))
            {
                let field = format_args!("users[{index}].{name}");
                check.broken(field, "must not contain control characters");
            }
        }
        if users.len() <= UserChange::USERS_MAX {
            let [first_name, last_name, email] = fields.map(|(_, value)| value.as_deref());
            told.extend(id.map(|id| (id, ProfileChange::new(first_name, last_name, email))));
        }
    }
    check.finish(Some(told))
}

/// The ids of users.
pub(super) fn ids(user_ids: &[String]) -> Result<Vec<UserId>, Failure> {
    let mut check = Check::default();
    check_count(&mut check, "user_ids", user_ids.len());
    let mut named = Named::default();
    let mut ids = Vec::new();
    for (index, id) in user_ids.iter().enumerate() {
        let id = named.id(&mut check, format_args!("user_ids[{index}]"), id);
        ids.extend(id.filter(|_| user_ids.len() <= UserChange::USERS_MAX));
    }
    check.finish(Some(ids))
}

fn check_count(check: &mut Check, field: &str, count: usize) {
    if count == 0 {
        check.broken(field, "must name at least one user");
    }
    if count > UserChange::USERS_MAX {
        check.broken(field, "must name at most 1,000 users");
    }
}

/// Who has been named so far: in the request's own words, since it may be a million.
#[derive(Default)]
struct Named<'a>(HashSet<&'a str>);

impl<'a> Named<'a> {
    fn id(&mut self, check: &mut Check, field: fmt::Arguments<'_>, id: &'a str) -> Option<UserId> {
        let parsed = check.some(field, UserId::parse(id), UserId::RULE)?;
        if !self.0.insert(id) {
            check.broken(field, "must not be named twice");
        }
        Some(parsed)
    }
}

/// Where a page of users begins, how many it looks at, and which of them it lists.
pub(super) fn users(
    key: &TokenKey,
    caller: &Caller,
    request: &pb::ListUsersRequest,
) -> Result<(i64, u32, UserFilter), Failure> {
    let mut check = Check::default();
    let size = check.page_size(request.page_size);
    let filter = check.some("filter", filter(request.filter), KNOWN_VALUE);
    let list = filter.map(List::Users);
    let start = check.page_token(key, &request.page_token, caller, list);
    let after = start.map_or(0, |start| start.from);
    let parsed = (|| Some((after, size?, filter?)))();
    check.finish(parsed)
}

fn filter(number: i32) -> Option<UserFilter> {
    Some(match pb::UserFilter::try_from(number).ok()? {
        pb::UserFilter::Unspecified | pb::UserFilter::All => UserFilter::All,
        pb::UserFilter::Active => UserFilter::Active,
        pb::UserFilter::Deactivated => UserFilter::Deactivated,
    })
}

/// The tenant that a page of tenants begins after, and how many it lists.
pub(super) fn tenants(
    key: &TokenKey,
    caller: &Caller,
    request: &pb::ListTenantsRequest,
) -> Result<(Option<TenantId>, u32), Failure> {
    let mut check = Check::default();
    let size = check.page_size(request.page_size);
    let after = match request.page_token.as_str() {
        "" => None,
        token => {
            let tenant = key.read_tenants_token(token, caller);
            check.some("page_token", tenant, PAGE_TOKEN)
        }
    };
    check.finish(size.map(|size| (after, size)))
}
