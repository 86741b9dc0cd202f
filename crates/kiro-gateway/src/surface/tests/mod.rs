//! What the tests of all surfaces share.

pub(super) mod cases;
mod script;
mod show;
