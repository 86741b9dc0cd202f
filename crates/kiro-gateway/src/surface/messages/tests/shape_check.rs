//! Whatever leaves the surface is what the SDKs read: our own types, and the order that breaks them when it
//! is another.

use anthropic_types::{ErrorBody, Event, Message};

use crate::surface::Mode;

/// Checks a whole response.
pub(super) fn response(mode: Mode, response: &str) {
    match mode {
        Mode::Stream => stream(response),
        Mode::Complete => complete(response),
    }
}

/// Checks an error's body.
pub(super) fn error(body: &str) {
    let typed: ErrorBody = serde_json::from_str(body).unwrap();
    assert_eq!(typed.kind, "error");
    assert!(!typed.error.message.is_empty());
}

fn complete(document: &str) {
    let typed: Message<'_> = serde_json::from_str(document).unwrap();
    assert_eq!(serde_json::to_string(&typed).unwrap(), document);
    assert!(typed.stop_reason.is_some());
}

/// Every event has its name twice, the blocks are numbered without gaps and one is open at a time.
fn stream(stream: &str) {
    let mut has_begun = false;
    let mut has_ended = false;
    let (mut open, mut next) = (None, 0);
    for written in stream.split_terminator("\n\n") {
        let (name, data) = written.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        assert!(!data.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']));
        let event: Event<'_> = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: "), Some(&*event.kind));
        assert!(!has_ended, "nothing follows the end: {data}");
        match &*event.kind {
            "ping" => {}
            "message_start" => {
                assert!(!has_begun);
                has_begun = true;
            }
            "error" => {
                error(data);
                has_ended = true;
            }
            "message_stop" => has_ended = true,
            kind => {
                assert!(has_begun, "{kind} before the message");
                match kind {
                    "content_block_start" => {
                        assert_eq!((open, event.index), (None, Some(next)));
                        open = event.index;
                        next += 1;
                    }
                    "content_block_delta" => assert_eq!(event.index, open),
                    "content_block_stop" => assert_eq!(event.index, open.take()),
                    "message_delta" => assert!(open.is_none() && event.usage.is_some()),
                    other => panic!("no such event: {other}"),
                }
            }
        }
    }
    assert!(has_ended, "a stream has a definite end");
}
