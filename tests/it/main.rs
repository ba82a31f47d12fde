//! What the contract promises, asked of a real server over gRPC, on both databases.
//!
//! A module is a subject. [`support`] starts servers, each with a database of its own, and brings
//! clients that speak in words of the domain.

mod support;

mod access;
mod administration;
mod comparison;
mod conversation;
mod documents;
mod editing;
mod email_addresses;
mod errors;
mod expiring;
mod failing;
mod failovers;
mod faults;
mod filing;
mod fuzz;
mod identity;
mod inbox;
mod layers;
mod limits;
mod many_readers;
mod marking;
mod metrics;
mod outages;
mod page_bytes;
mod page_cache;
mod page_tokens;
mod pages_of_messages;
mod pages_of_threads;
mod panics;
mod processes;
mod random;
mod reading;
mod reference;
mod remembering;
mod replicas;
mod replying;
mod resuming;
mod retries;
mod schema;
mod sending;
mod service;
mod tenants;
mod tls;
mod tokens;
mod validation;
mod validation_of_reads;
mod watch_filters;
mod watch_order;
mod watch_scopes;
mod watching;
mod web;
