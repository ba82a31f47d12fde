//! The binary itself: processes that are started, killed, told to end, and started again.
//!
//! [`process`] starts them, and none outlives its test; [`deployment`] is what they share;
//! [`caller`] calls them, also across restarts.

mod benching;
mod caller;
mod checking;
mod commands;
mod counting;
mod deployment;
mod distributed;
mod ending;
mod failing;
mod importing;
mod in_flight;
mod killed;
mod logging;
mod migrating;
mod private;
mod process;
mod prometheus;
mod record;
mod replicas;
mod settings;
mod starting;
mod tokens;
mod traces;
mod turns;
mod writers;
mod wrong_settings;

pub(crate) use self::{
    caller::{connect, is_unanswered},
    deployment::{Deployment, Server},
    in_flight::is_refused_unbegun,
    process::{Ended, Process, letterbox, send_signal},
};
