//! A whole reply.

use super::{ReplyEvent, StopReason, Usage};
use crate::conversation::{JsonObject, ToolUse};

/// A reply collected from its events.
///
/// ```
/// use kiro_protocol::reply::{Reply, ReplyEvent, StopReason};
///
/// let mut reply = Reply::default();
/// reply.push(ReplyEvent::Start);
/// reply.push(ReplyEvent::Text("Hel".into()));
/// reply.push(ReplyEvent::Text("lo".into()));
/// reply.push(ReplyEvent::Stop(StopReason::EndTurn));
/// assert_eq!(reply.text(), "Hello");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// The blocks in order. A tool use that was cut is not among them.
    pub blocks: Vec<ReplyBlock>,
    /// What the reply consumed, as far as the service says.
    pub usage: Usage,
    /// Why it ended; `None` while it has not.
    pub stop: Option<StopReason>,
    /// The tool use that has not ended: id, name and the input so far.
    open: Option<(String, String, String)>,
}

/// One block of a reply, unescaped.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ReplyBlock {
    /// Text for the user.
    Text(String),
    /// Thoughts.
    Reasoning {
        /// What can be read of them.
        text: String,
        /// The signature over them, to be sent back unchanged.
        signature: Option<String>,
    },
    /// Thoughts that only the model can read, base64.
    Redacted(String),
    /// The model asks for a tool.
    ToolUse(ToolUse),
}

impl Reply {
    /// Adds the next event.
    pub fn push(&mut self, event: ReplyEvent) {
        match event {
            ReplyEvent::Start => {}
            ReplyEvent::Text(delta) => match self.blocks.last_mut() {
                Some(ReplyBlock::Text(text)) => text.push_str(&delta.unescape()),
                _ => {
                    let text = delta.unescape().into_owned();
                    self.blocks.push(ReplyBlock::Text(text));
                }
            },
            ReplyEvent::Reasoning(delta) => match self.blocks.last_mut() {
                Some(ReplyBlock::Reasoning {
                    text,
                    signature: None,
                }) => {
                    text.push_str(&delta.unescape());
                }
                _ => self.blocks.push(ReplyBlock::Reasoning {
                    text: delta.unescape().into_owned(),
                    signature: None,
                }),
            },
            ReplyEvent::Signature(delta) => self.sign(delta.unescape().into_owned()),
            ReplyEvent::Redacted(content) => {
                let content = content.unescape().into_owned();
                self.blocks.push(ReplyBlock::Redacted(content));
            }
            ReplyEvent::ToolUseStart { id, name } => self.open = Some((id, name, String::new())),
            ReplyEvent::ToolInput(delta) => {
                if let Some((_, _, input)) = &mut self.open {
                    input.push_str(&delta.unescape());
                }
            }
            ReplyEvent::ToolUseEnd => self.end_tool_use(),
            ReplyEvent::ToolUseCut => self.open = None,
            ReplyEvent::Usage(usage) => self.usage = usage,
            ReplyEvent::Stop(reason) => self.stop = Some(reason),
        }
    }

    /// All text, without what stands between its blocks.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            ReplyBlock::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// All readable thoughts.
    pub fn reasoning(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            ReplyBlock::Reasoning { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The complete tool uses in order.
    pub fn tool_uses(&self) -> impl Iterator<Item = &ToolUse> {
        self.blocks.iter().filter_map(|block| match block {
            ReplyBlock::ToolUse(tool_use) => Some(tool_use),
            _ => None,
        })
    }

    fn sign(&mut self, signature: String) {
        match self.blocks.last_mut() {
            Some(ReplyBlock::Reasoning {
                signature: place @ None,
                ..
            }) => *place = Some(signature),
            _ => self.blocks.push(ReplyBlock::Reasoning {
                text: String::new(),
                signature: Some(signature),
            }),
        }
    }

    fn end_tool_use(&mut self) {
        let Some((id, name, input)) = self.open.take() else {
            return;
        };
        // The decoder ends a tool use only after this check; events from elsewhere may be wrong.
        if let Ok(input) = JsonObject::parse(input) {
            self.blocks
                .push(ReplyBlock::ToolUse(ToolUse { id, name, input }));
        }
    }
}

impl Extend<ReplyEvent> for Reply {
    fn extend<T: IntoIterator<Item = ReplyEvent>>(&mut self, events: T) {
        events.into_iter().for_each(|event| self.push(event));
    }
}

impl FromIterator<ReplyEvent> for Reply {
    fn from_iter<T: IntoIterator<Item = ReplyEvent>>(events: T) -> Self {
        let mut reply = Self::default();
        reply.extend(events);
        reply
    }
}
