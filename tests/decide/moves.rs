//! What happens in a batch: steps of the model's, and what admins and tokens say.

use proptest::prelude::*;

use super::{
    admin::{AdminStep, admin_steps},
    reference::{Action, Step, steps},
};

/// Something that somebody does.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Step(Step),
    Admin(AdminStep),
}

pub(crate) fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => steps().prop_map(Move::Step),
        1 => admin_steps().prop_map(Move::Admin),
    ]
}

/// What is asked for, once it is settled what it is about.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Action(&'static str, Action),
    Admin(AdminStep),
}
