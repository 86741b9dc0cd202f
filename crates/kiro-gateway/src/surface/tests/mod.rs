//! What the tests of all surfaces share.

pub(super) mod cases;
mod damage;
mod dialects;
mod growth;
mod hostile;
mod members;
mod page;
pub(super) mod replies;
#[path = "../../../../openai-types/tests/support/schema.rs"]
pub(super) mod schema;
pub(super) mod script;
pub(super) mod show;
pub(super) mod verdicts;
