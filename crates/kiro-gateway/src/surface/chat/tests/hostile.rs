//! No body makes the surface panic, and every refusal is a proper one.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;

use super::CASES;
use crate::surface::tests::damage::{apply, damage};

/// The requests of the cases: everything that is worth breaking.
static REQUESTS: LazyLock<Vec<String>> = LazyLock::new(|| CASES.requests());

proptest! {
    #[test]
    fn a_damaged_request_is_accepted_or_refused(
        request in any::<Index>(),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let mut body = request.get(&REQUESTS).clone().into_bytes();
        damages.iter().for_each(|damage| apply(damage, &mut body));
        if let Err(refusal) = CASES.accept(Bytes::from(body)) {
            prop_assert!(refusal.starts_with('4'), "{refusal}");
        }
    }

    #[test]
    fn bytes_without_meaning_are_refused(body in any::<Vec<u8>>()) {
        let refusal = CASES.accept(Bytes::from(body)).err().unwrap();
        prop_assert!(refusal.starts_with("400 "), "{refusal}");
    }
}
