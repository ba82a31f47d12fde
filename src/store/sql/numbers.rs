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
    ids: HashMap<i64, UserId>,
    /// The highest number in the tenant.
    highest: i64,
}

impl UserNumbers {
    pub(super) fn new(ids: HashMap<i64, UserId>, highest: i64) -> Self {
        let numbers = ids.iter().map(|(number, id)| (id.clone(), *number));
        Self {
            numbers: numbers.collect(),
            ids,
            highest,
        }
    }

    /// Adds what is known of others, as of the same moment.
    pub(super) fn extend(&mut self, others: Self) {
        self.highest = self.highest.max(others.highest);
        self.numbers.extend(others.numbers);
        self.ids.extend(others.ids);
    }

    /// Numbers a user, who may have a number already.
    pub(super) fn number(&mut self, user: &UserId) {
        if !self.numbers.contains_key(user) {
            self.highest += 1;
            self.numbers.insert(user.clone(), self.highest);
            self.ids.insert(self.highest, user.clone());
        }
    }

    /// Whether these are most of the tenant's users.
    pub(super) fn are_of_most(&self) -> bool {
        i64::try_from(self.ids.len()).is_ok_and(|known| known > self.highest / 2)
    }

    /// Whose number this is.
    pub(super) fn user(&self, number: i64) -> Option<&UserId> {
        self.ids.get(&number)
    }

    /// A user's number.
    pub(super) fn of(&self, user: &UserId) -> Result<i64> {
        let number = self.numbers.get(user).copied();
        number.ok_or_else(|| Error::defect("a user without a number"))
    }
}
