//! The surface as a whole: what a request becomes, and what a reply becomes.

mod accumulate;
mod goes_on;
mod schema_check;
mod verdicts;

use kiro_protocol::text::JsonText;

use super::{Responses, sealed};
use crate::surface::tests::cases::{Cases, SALT};

pub(in crate::surface) static CASES: Cases = Cases {
    surface: &Responses,
    verdicts: (&super::verdicts::MEMBERS, super::verdicts::INSIDE),
    folder: "responses",
    ids: &["resp_", "msg_", "rs_", "fc_", "ctc_", "tsc_"],
    check_response: schema_check::response,
    check_error: schema_check::error,
};

#[test]
fn every_case_comes_out_as_written() {
    CASES.run_all(100);
}

/// Thoughts as a client sends them back.
pub(in crate::surface) fn sealed(text: &str, signature: &'static str) -> String {
    let sealed = sealed::seal(SALT, &JsonText::new(text), &signature.into(), &"".into());
    sealed.expect("they are signed")
}
