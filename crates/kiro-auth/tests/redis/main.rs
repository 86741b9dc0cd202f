//! The store that replicas share, against a real server that each test starts for itself.
#![cfg(all(feature = "hyper", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fencing;
mod outage;
mod replicas;
mod secrecy;
#[path = "../../../../tests/support/redis.rs"]
mod server;
mod settings;
mod support;
