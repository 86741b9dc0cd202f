//! Thoughts of the model as `encrypted_content`: the client keeps them and sends them back.
//!
//! They are the client's own, so they are not hidden from it. A digest over the caller's salt and the rest
//! tells whether they come back from the same caller as they went. What does not is left out, because the
//! model takes thoughts only unmodified, and refuses the whole request otherwise.
//!
//! It is no protection against forgery by the caller, and need not be: the model's own signature is. Nobody
//! can make a seal of a guest who does not know what the guest sends as a login. The salt of the server's own
//! callers is no secret, so theirs tells changes and mix-ups only. A guest whose login is written in another
//! way is another caller, and starts without the old thoughts.
//!
//! ```text
//! kiro1.<digest>.<base64 of {"text":"…","signature":"…"} or of {"redacted":"…"}>
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_protocol::conversation::Reasoning;
use kiro_protocol::text::JsonText;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MARK: &str = "kiro1.";

#[derive(Default, Serialize, Deserialize)]
struct Thoughts {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redacted: Option<String>,
}

/// Thoughts for the client to keep. `None` for such as the model does not take back, without a signature.
pub(super) fn seal(
    salt: &str,
    text: &JsonText,
    signature: &JsonText,
    redacted: &JsonText,
) -> Option<String> {
    let some = |text: &JsonText| (!text.is_empty()).then(|| text.unescape().into_owned());
    let thoughts = Thoughts {
        text: text.unescape().into_owned(),
        signature: some(signature),
        redacted: some(redacted),
    };
    if thoughts.signature.is_none() && thoughts.redacted.is_none() {
        return None;
    }
    let json = serde_json::to_vec(&thoughts).ok()?;
    let base64 = STANDARD.encode(json);
    Some(format!("{MARK}{}.{base64}", digest(salt, &base64)))
}

/// The thoughts again. `None` for what was not sealed with this salt, or was changed.
pub(super) fn open(salt: &str, sealed: &str) -> Option<Reasoning> {
    let (told, base64) = sealed.strip_prefix(MARK)?.split_once('.')?;
    if told != digest(salt, base64) {
        return None;
    }
    let thoughts: Thoughts = serde_json::from_slice(&STANDARD.decode(base64).ok()?).ok()?;
    Some(match (thoughts.redacted, thoughts.signature) {
        (Some(redacted), _) => Reasoning::Redacted(redacted),
        (None, signature) => Reasoning::Signed {
            text: JsonText::new(&thoughts.text),
            signature: signature?,
        },
    })
}

fn digest(salt: &str, base64: &str) -> String {
    // Salts are hexadecimal or a word, so that the dot divides.
    let digest = Sha256::new_with_prefix(salt)
        .chain_update(".")
        .chain_update(base64);
    digest.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_come_back_as_they_went_or_not_at_all() {
        let none = JsonText::default();
        let sealed = seal("salt", &JsonText::new("a \"b\"\n"), &"sig".into(), &none).unwrap();
        let signed = Reasoning::Signed {
            text: JsonText::new("a \"b\"\n"),
            signature: "sig".into(),
        };
        assert_eq!(open("salt", &sealed), Some(signed));
        let redacted = seal("salt", &none, &none, &"YWJj".into()).unwrap();
        assert_eq!(
            open("salt", &redacted),
            Some(Reasoning::Redacted("YWJj".into()))
        );
        assert_eq!(seal("salt", &"a".into(), &none, &none), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(
                open("salt", &String::from_utf8(changed).unwrap()),
                None,
                "{at}"
            );
        }
        assert_eq!(open("tlas", &sealed), None);
        assert_eq!(open("salt", "gAAAAAB-of-somebody-else"), None);
    }
}
