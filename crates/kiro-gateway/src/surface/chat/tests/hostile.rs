//! No body makes the surface panic, and every refusal is a proper one.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;

use super::CASES;

/// The requests of the cases: everything that is worth breaking.
static REQUESTS: LazyLock<Vec<String>> = LazyLock::new(|| CASES.requests());

/// One change to a body.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Remove(Index),
    /// Repeats what is between two places.
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(&br#"{}[]",:\0u"#[..])];
    prop_oneof![
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<(Index, Index)>().prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn apply(damage: &Damage, body: &mut Vec<u8>) {
    let length = body.len();
    match damage {
        _ if length == 0 => {}
        Damage::Replace(at, byte) => body[at.index(length)] = *byte,
        Damage::Remove(at) => {
            body.remove(at.index(length));
        }
        Damage::Repeat(from, to) => {
            let (from, to) = (from.index(length), to.index(length));
            let piece = body[from.min(to)..from.max(to)].to_vec();
            body.splice(from..from, piece);
        }
    }
}

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
