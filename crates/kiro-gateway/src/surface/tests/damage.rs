//! Bodies that something happened to.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change to a body.
#[derive(Debug, Clone)]
pub(super) enum Damage {
    Replace(Index, u8),
    Remove(Index),
    /// Repeats what is between two places.
    Repeat(Index, Index),
}

/// Any damage.
pub(super) fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(&br#"{}[]",:\0u"#[..])];
    prop_oneof![
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<(Index, Index)>().prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

/// Does it.
pub(super) fn apply(damage: &Damage, body: &mut Vec<u8>) {
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
