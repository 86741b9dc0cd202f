//! The session that a request belongs to, where the client tells it.

use anthropic_types::MessagesRequest;
use serde::Deserialize;

/// Claude Code writes an object into `metadata.user_id`, as text, and the session into that (measured,
/// November 2026). Any other text there is a user, who may have many sessions.
pub(super) fn session(request: &MessagesRequest<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Metadata {
        user_id: String,
    }
    #[derive(Deserialize)]
    struct User {
        session_id: String,
    }
    let metadata = request.metadata.as_ref()?.as_json();
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    let user: User = serde_json::from_str(&metadata.user_id).ok()?;
    Some(user.session_id).filter(|session| !session.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_session_is_one() {
        let of = |metadata: &str| {
            let request = format!(r#"{{"metadata":{metadata}}}"#);
            session(&serde_json::from_str(&request).unwrap())
        };
        let claude_code =
            r#"{"user_id":"{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"s-1\"}"}"#;
        assert_eq!(of(claude_code).as_deref(), Some("s-1"));
        for other in [
            "null",
            "5",
            r#""x""#,
            "{}",
            r#"{"user_id":null}"#,
            r#"{"user_id":"somebody"}"#,
            r#"{"user_id":"{\"device_id\":\"d\"}"}"#,
            r#"{"user_id":"{\"session_id\":\"\"}"}"#,
            r#"{"user_id":{"session_id":"s"}}"#,
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
