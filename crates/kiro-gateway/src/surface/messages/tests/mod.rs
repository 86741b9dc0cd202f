//! The surface as a whole: what a request becomes, and what a reply becomes.

mod accumulate;
mod shape_check;
mod verdicts;

use super::Messages;
use crate::surface::tests::cases::Cases;

pub(in crate::surface) static CASES: Cases = Cases {
    surface: &Messages,
    verdicts: (&super::verdicts::MEMBERS, super::verdicts::INSIDE),
    folder: "messages",
    ids: &["msg_"],
    check_response: shape_check::response,
    check_error: shape_check::error,
};

#[test]
fn every_case_comes_out_as_written() {
    CASES.run_all(70);
}
