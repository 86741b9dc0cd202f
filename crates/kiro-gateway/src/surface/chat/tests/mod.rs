//! The surface as a whole: what a request becomes, and what a reply becomes.

mod accumulate;
mod cases;
mod hostile;
#[path = "../../../../../openai-types/tests/support/schema.rs"]
mod schema;
mod schema_check;
mod script;
mod show;
mod verdicts;
