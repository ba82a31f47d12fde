//! The store over SQL, written once for both databases.
//!
//! Every read has the same form: its first parameter is the tenant, lists are JSON, and an answer is
//! one row with one JSON text, however many rows it speaks of. What a batch saves is data
//! (`insert`), which each database has its own text and parameters for.
//! A statement costs a round trip on Postgres and a change of threads on SQLite, a row inside of
//! it next to nothing; and the Rust around them is the same for both.
//!
//! Reads that would wait for one another are made as one statement (`together`).
//!
//! `statements` holds their texts, in SQLite's dialect; [`Backend::dialect`] translates them.

mod announcements;
mod arrays;
mod backend;
mod checks;
mod gathered;
mod insert;
mod kept;
mod load;
mod memory;
mod numbers;
mod optimistic;
mod pages;
#[cfg(test)]
mod plans;
pub(super) mod postgres;
mod reads;
mod rows;
#[cfg(test)]
mod rules;
mod save;
mod session;
mod shared;
pub(super) mod sqlite;
mod statements;
mod store;
mod together;
mod transaction;

pub(super) use backend::{Backend, Param, json_rows};
pub(super) use checks::{CHECKS, Check, FIRST, TENANTS};
pub(super) use statements::Statements;
pub(super) use store::SqlStore;
pub(super) use {postgres::connect as connect_postgres, sqlite::connect as connect_sqlite};
