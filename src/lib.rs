//! Letterbox: private user-to-user threaded messaging as a gRPC service.
//!
//! The layers, each of which knows only those below it: [`server`] wires and runs; `grpc` speaks
//! protobuf; [`messenger`] has the use cases, the writer and the feed; [`store`] is the only one
//! to know of our database; [`model`] has the words and the rules. [`bench`] is a client that
//! measures; [`import`] writes what another service has kept; everybody above [`model`] counts in [`metrics`]. `ARCHITECTURE.md` says why.

pub mod bench;
pub mod config;
mod grpc;
pub mod health;
pub mod import;
pub mod messenger;
pub mod metrics;
pub mod model;
pub mod progress;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod traces;

pub use grpc::pb;
