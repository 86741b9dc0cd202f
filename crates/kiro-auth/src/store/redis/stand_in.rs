//! The seam for a simulation: what answers commands in the place of a server.

use std::fmt;

use redis::{Cmd, RedisError, Value};

use crate::BoxFuture;

/// Answers the commands that a [`RedisServer`](crate::RedisServer) sends, without a network.
///
/// It stands where a connection does, below time-outs and repetitions, so that those are tried as well: a
/// command that is never answered is given up, one whose connection breaks is sent again.
pub trait StandIn: Send + Sync + fmt::Debug {
    /// Carries a command out.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    fn answer<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>>;
}
