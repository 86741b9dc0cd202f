//! One credential shared by replicas of a service, in Redis or Valkey.

mod lease;
mod link;
mod record;
mod store;

pub use self::store::{RedisStore, RedisStoreOptions};
