//! The numbers that stand for users in the rows; they mean something in one tenant only.

use std::collections::HashMap;

use crate::{
    model::UserId,
    store::{Error, Result},
};

/// The numbers of the users that a batch touches.
#[derive(Default)]
pub(super) struct UserNumbers {
    numbers: HashMap<UserId, i64>,
    /// The highest number in the tenant.
    highest: i64,
}

impl UserNumbers {
    pub(super) fn new(numbers: HashMap<UserId, i64>, highest: i64) -> Self {
        Self { numbers, highest }
    }

    /// Adds what is known of others, as of the same moment.
    pub(super) fn extend(&mut self, others: Self) {
        self.highest = self.highest.max(others.highest);
        self.numbers.extend(others.numbers);
    }

    /// Numbers a user, who may have a number already.
    pub(super) fn number(&mut self, user: &UserId) {
        if !self.numbers.contains_key(user) {
            self.highest += 1;
            self.numbers.insert(user.clone(), self.highest);
        }
    }

    /// A user's number.
    pub(super) fn of(&self, user: &UserId) -> Result<i64> {
        let number = self.numbers.get(user).copied();
        number.ok_or_else(|| Error::defect("a user without a number"))
    }
}
