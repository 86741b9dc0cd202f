//! The keys that callers send, each known by its digest.

use std::fmt;
use std::str::FromStr;

use kiro_auth::Secret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::admission::Limits;

/// A key that callers may send, besides [`GatewayOptions::key`](crate::GatewayOptions::key).
///
/// ```
/// # use kiro_gateway::{AccessKey, KeyDigest};
/// let digest: KeyDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?;
/// let key = AccessKey::new("team", digest);
/// # Ok::<(), kiro_gateway::NoDigest>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccessKey {
    /// What the log calls it. No other key has the same.
    pub name: String,
    /// What it is recognised by.
    pub digest: KeyDigest,
    /// Of everybody together who sends it.
    pub limits: Limits,
    /// Of each caller who sends it with a credential of their own.
    pub tenant_limits: Limits,
}

impl AccessKey {
    /// A key without limits.
    pub fn new(name: impl Into<String>, digest: KeyDigest) -> Self {
        Self {
            name: name.into(),
            digest,
            limits: Limits::default(),
            tenant_limits: Limits::default(),
        }
    }
}

/// The SHA-256 of a key.
///
/// One round of a fast hash is right here: a key is made by a machine and has 128 bits or more, so nobody finds
/// it by trying, and a slow hash would only let strangers spend the time of the server.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

/// How a digest is written: `sha256:` and 64 hexadecimal digits.
const PREFIX: &str = "sha256:";

/// What was given as the digest of a key is none. It is not repeated: it may be the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `sha256:` and 64 hexadecimal digits")]
pub struct NoDigest;

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &Secret) -> Self {
        Self::of_text(key.expose())
    }

    pub(crate) fn of_text(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// For what follows from it. Not to be compared with: see [`matches`](Self::matches).
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same key. It takes the same time whatever the answer is; and what time the
    /// digest itself takes tells the length of what was sent, which its sender knows.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl FromStr for KeyDigest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex = text.strip_prefix(PREFIX).ok_or(NoDigest)?.as_bytes();
        if hex.len() != 64 || !hex.iter().all(u8::is_ascii_hexdigit) {
            return Err(NoDigest);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NoDigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoDigest)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A log has no use for it.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_and_read_back() {
        let digest = KeyDigest::of(&Secret::from("abc"));
        let text = digest.to_string();
        assert_eq!(
            text,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let again: KeyDigest = text.parse().unwrap();
        assert!(again.matches(&digest));
        assert!(!again.matches(&KeyDigest::of(&Secret::from("abd"))));
        assert!(!format!("{digest:?}").contains("ba78"));
    }

    #[test]
    fn what_is_no_digest_is_refused_and_not_repeated() {
        let digits = "ab".repeat(32);
        for text in [
            String::new(),
            digits.clone(),
            format!("sha256:{}", &digits[1..]),
            format!("sha256:{digits}a"),
            format!("sha256:+{}", &digits[1..]),
            format!("sha512:{digits}"),
            "k2a_a-key-in-the-clear".to_owned(),
        ] {
            let refused = text.parse::<KeyDigest>().unwrap_err();
            assert!(!refused.to_string().contains("k2a_"), "{text}");
        }
    }
}
