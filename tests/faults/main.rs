//! Faults and attacks that the program survives: one test for each row of the table in `docs/reliability.md`.
//!
//! Every row starts the program as people run it, before a simulated Kiro, and speaks to it over sockets. Its
//! name is its number in the table, and its comment is what the table says of it: `cargo xtask reliability`
//! makes the table from both. What every row must leave behind is checked in one place,
//! [`House::survives`](support::House::survives).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test may look at what it has started"
)]

mod support;

mod a_clients;
mod b_upstream;
mod c_store;
mod d_process;
mod e_attacks;
