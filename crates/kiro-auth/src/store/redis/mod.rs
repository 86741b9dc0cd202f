//! One credential shared by replicas of a service, in Redis or Valkey.

mod lease;
mod link;
mod record;
mod server;
mod store;

pub use self::server::{RedisServer, RedisStoreOptions};
pub use self::store::RedisStore;
