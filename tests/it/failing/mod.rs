//! A database that fails at a moment of the test's choosing, under the writer and the feed.
//!
//! Underneath is a real store on a real database; [`store`] stands before it and fails, hangs, or
//! does what it was asked and loses the answer, where [`faults`] say so. The tests speak to the
//! [`Messenger`](letterbox::messenger::Messenger) itself ([`service`]): its calls are queued when
//! they are first polled, so that a test decides what one batch holds.

mod announcing;
mod before_commit;
mod catching_up;
mod cut_logs;
mod doubt;
mod faults;
mod hanging;
mod importing;
mod leaving;
mod optimistic;
mod poison;
mod replicas;
mod service;
mod store;
mod tails;
mod turns;
mod unfinished;
