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

use cases::Cases;

use super::{chat, messages, responses};

/// Every dialect that is served. The tests here go through all of them; what speaks their words one by one
/// (`dialects`, `growth`) is held against it.
static SURFACES: [&Cases; 3] = [
    &chat::tests::CASES,
    &responses::tests::CASES,
    &messages::tests::CASES,
];

#[test]
fn every_surface_is_tested() {
    let tested = SURFACES.map(|cases| cases.surface.name());
    let mut served = Vec::from_iter(crate::routes::surfaces().map(|(_, surface)| surface.name()));
    served.sort_by_key(|name| tested.iter().position(|tested| tested == name));
    assert_eq!(tested.to_vec(), served);
}
