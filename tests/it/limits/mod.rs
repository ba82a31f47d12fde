//! Limits: what is over one is refused and says so, and everybody else is served.

mod calls;
mod connections;
mod frames;
mod http2;
mod public;
mod queue;
mod stalled;
mod users;
mod watches;
