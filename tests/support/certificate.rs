//! A certificate of a test's own. Included by the tests of several targets.
#![allow(dead_code, reason = "each uses its own part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A new self-signed certificate for 127.0.0.1 and its key, in PEM.
pub(crate) struct Made {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Made {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self {
            cert: pem("CERTIFICATE", made.cert.der()),
            key: pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        }
    }
}

/// One section in PEM, in lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + &format!("\n-----END {label}-----\n")
}
