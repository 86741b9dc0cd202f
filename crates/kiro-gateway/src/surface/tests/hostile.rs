//! No body makes a surface panic, and every refusal is a proper one.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;

use super::damage::{apply, damage};
use super::{SURFACES, cases::Cases};

/// The requests of all cases: everything that is worth breaking.
static REQUESTS: LazyLock<Vec<(&Cases, String)>> = LazyLock::new(|| {
    let requests = SURFACES.into_iter().flat_map(|cases| {
        let requests = cases.requests().into_iter();
        requests.map(move |request| (cases, request))
    });
    requests.collect()
});

proptest! {
    // As many for each surface as proptest has for one.
    #![proptest_config(ProptestConfig::with_cases(3 * ProptestConfig::default().cases))]

    #[test]
    fn a_damaged_request_is_accepted_or_refused(
        request in any::<Index>(),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let (cases, request) = request.get(&REQUESTS);
        let mut body = request.clone().into_bytes();
        damages.iter().for_each(|damage| apply(damage, &mut body));
        if let Err(refusal) = cases.accept(Bytes::from(body)) {
            prop_assert!(refusal.starts_with('4'), "{}: {refusal}", cases.folder);
        }
    }

    #[test]
    fn bytes_without_meaning_are_refused(
        surface in any::<Index>(),
        body in any::<Vec<u8>>(),
    ) {
        let cases = surface.get(&SURFACES);
        let refusal = cases.accept(Bytes::from(body)).err().unwrap();
        prop_assert!(refusal.starts_with("400 "), "{}: {refusal}", cases.folder);
    }
}
