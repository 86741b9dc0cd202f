//! A string that does not print.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A token, a key or a client secret.
///
/// `Debug` prints `Secret(…)` whatever is inside, there is no `Display`, and the memory is overwritten
/// when the last clone is dropped. Cloning is cheap: clones share one buffer. What leaves through
/// [`expose`](Self::expose) – into a header, a request body, a file – is out of reach of that promise.
///
/// Comparison is not constant-time: it serves to notice that a stored token has changed. Do not
/// compare a secret with what a stranger sends.
///
/// ```
/// use kiro_auth::Secret;
///
/// let secret = Secret::from("aorAAAA:MGQC");
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// assert_eq!(secret.expose(), "aorAAAA:MGQC");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes over a string; it is not copied.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text itself. Hand it to the wire or to a store, to nothing that logs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_text() {
        let secret = Secret::from("planted-token");
        for printed in [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{:?}", Some(&secret)),
        ] {
            assert!(!printed.contains("planted"), "{printed}");
        }
    }

    #[test]
    fn clones_share_one_buffer() {
        let secret = Secret::from("one");
        let clone = secret.clone();
        assert_eq!(secret.expose().as_ptr(), clone.expose().as_ptr());
    }
}
