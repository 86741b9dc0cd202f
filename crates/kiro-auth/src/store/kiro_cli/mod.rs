//! The database of kiro-cli and of the Amazon Q CLI, shared with them.
//!
//! | file | is |
//! | --- | --- |
//! | `database.rs` | opening a database of somebody else's, and what can be wrong with it |
//! | `rows.rs` | which rows hold a login, and the credential that follows from them |
//! | `store.rs` | the [`KiroCliStore`] |

mod database;
mod rows;
mod store;

pub use self::store::KiroCliStore;
