//! What a gate is called where its count outlives the process, or is shared with others.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::key::KeyDigest;

/// A hash that follows from what a caller sends, and tells nothing about it: keys and logins are random and
/// long, so nobody finds them by trying.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GateName(String);

/// Hexadecimal digits of a name.
const LENGTH: usize = 32;

impl GateName {
    /// That of a key: of everybody together who sends it.
    pub(crate) fn of_key(key: &KeyDigest) -> Self {
        Self::hash("key", key, b"")
    }

    /// That of one caller, who sends a login with it.
    pub(crate) fn of_caller(key: &KeyDigest, login: &[u8; 32]) -> Self {
        Self::hash("caller", key, login)
    }

    /// One that was written before; `None` for what is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == LENGTH && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest of a key stands in configuration files, so it is hashed once more.
    fn hash(what: &str, key: &KeyDigest, login: &[u8]) -> Self {
        let hash = Sha256::new_with_prefix(format!("kiro-gateway limits {what}\0"))
            .chain_update(key.as_bytes())
            .chain_update(login)
            .finalize();
        let half = &hash[..LENGTH / 2];
        Self(half.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_keys_and_callers_apart_and_is_read_back() {
        let (one, other) = (KeyDigest::of_text("one"), KeyDigest::of_text("other"));
        let names = [
            GateName::of_key(&one),
            GateName::of_key(&other),
            GateName::of_caller(&one, &[0; 32]),
            GateName::of_caller(&other, &[0; 32]),
            GateName::of_caller(&one, &[1; 32]),
        ];
        for (n, name) in names.iter().enumerate() {
            assert!(!names[..n].contains(name));
            assert!(!one.to_string().contains(name.as_str()));
            assert_eq!(GateName::read(name.as_str()).as_ref(), Some(name));
        }
        for text in ["", "0123", &"g".repeat(32), &"A".repeat(32)] {
            assert_eq!(GateName::read(text), None);
        }
    }
}
