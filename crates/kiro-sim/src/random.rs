//! Numbers that look random and are the same for the same seed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SplitMix64: small, well mixed, and good enough for ids that nobody attacks.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// This many characters of base64url.
    pub(crate) fn base64url(&mut self, chars: usize) -> String {
        let mut bytes = Vec::with_capacity(chars + 8);
        while bytes.len() < chars {
            bytes.extend_from_slice(&self.next_u64().to_be_bytes());
        }
        let mut text = URL_SAFE_NO_PAD.encode(bytes);
        text.truncate(chars);
        text
    }

    /// This many characters out of an ASCII alphabet.
    pub(crate) fn letters(&mut self, alphabet: &[u8], chars: usize) -> String {
        let size = alphabet.len() as u64;
        // The remainder is below the alphabet's length, so it fits and the index is inside.
        (0..chars)
            .map(|_| char::from(alphabet[(self.next_u64() % size) as usize]))
            .collect()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let high = self.next_u64();
        let low = self.next_u64();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let (mut one, mut two) = (Random::new(7), Random::new(7));
        assert_eq!(one.base64url(40), two.base64url(40));
        assert_eq!(one.uuid(), two.uuid());
        assert_ne!(one.uuid(), Random::new(8).uuid());
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = Random::new(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
    }
}
