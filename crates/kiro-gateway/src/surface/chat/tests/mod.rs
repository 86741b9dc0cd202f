//! The surface as a whole: what a request becomes, and what a reply becomes.

mod accumulate;
mod schema_check;
mod verdicts;

use super::Chat;
use crate::surface::tests::cases::Cases;

pub(in crate::surface) static CASES: Cases = Cases {
    surface: &Chat,
    verdicts: (&super::verdicts::MEMBERS, super::verdicts::INSIDE),
    folder: "chat",
    ids: &["chatcmpl-"],
    check_response: schema_check::response,
    check_error: schema_check::error,
};

#[test]
fn every_case_comes_out_as_written() {
    CASES.run_all(160);
}
