//! One credential shared by replicas of a service, in Redis or Valkey.

mod lease;
mod link;
mod record;
mod server;
#[cfg(any(test, feature = "test-util"))]
mod stand_in;
mod store;

pub use self::server::{RedisServer, RedisStoreOptions};
#[cfg(any(test, feature = "test-util"))]
pub use self::stand_in::StandIn;
pub use self::store::RedisStore;
