//! The items of an answer, put together from the events of a reply.

use std::collections::HashMap;
use std::sync::Arc;

use kiro_protocol::reply::{Delta, ReplyEvent};
use kiro_protocol::text::JsonText;
use openai_types::Text;
use openai_types::responses::{OutputItem, OutputPart};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::answer::{Status, Told, ToolKind};
use super::sealed;
use crate::kept::Item;
use crate::surface::openai::free_text;

/// The items so far.
#[derive(Debug)]
pub(super) struct Output {
    told: HashMap<String, Told>,
    tells_sealed: bool,
    salt: Arc<str>,
    /// The item that is being put together. There is never more than one.
    pub(super) open: Option<Open>,
    /// Items that were begun. An item's index is the number of items before it.
    n_begun: usize,
    was_cut: bool,
    /// How the reply ended, after its `Stop`.
    pub(super) status: Status<'static>,
    /// The items that are complete, as they are told.
    pub(super) done: Vec<Box<RawValue>>,
    /// The same as they are kept: thoughts in the form in which they go back upstream.
    pub(super) kept: Vec<Item>,
}

/// An item that is being put together.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: String,
    pub(super) index: usize,
    /// What thoughts are sealed with.
    salt: Arc<str>,
    pub(super) body: Body,
}

/// What is in it. Texts are escaped.
#[derive(Debug)]
pub(super) enum Body {
    Message {
        text: String,
    },
    Reasoning {
        text: String,
        signature: String,
        redacted: String,
    },
    Call {
        call_id: String,
        told: Told,
        arguments: String,
    },
}

/// Who is told of items while they are put together.
pub(super) trait Tell {
    /// An item begins.
    fn begun(&mut self, open: &Open);
    /// There is more of it: escaped text.
    fn more(&mut self, open: &Open, escaped: &str);
    /// It is complete.
    fn done(&mut self, open: &Open, status: &'static str);
}

/// Nobody is told.
impl Tell for () {
    fn begun(&mut self, _open: &Open) {}
    fn more(&mut self, _open: &Open, _escaped: &str) {}
    fn done(&mut self, _open: &Open, _status: &'static str) {}
}

impl Output {
    pub(super) fn new(told: HashMap<String, Told>, tells_sealed: bool, salt: Arc<str>) -> Self {
        Self {
            told,
            tells_sealed,
            salt,
            open: None,
            n_begun: 0,
            was_cut: false,
            status: Status::InProgress,
            done: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Whether an item was begun.
    pub(super) fn has_begun(&self) -> bool {
        self.n_begun > 0
    }

    /// Takes an event of the reply.
    pub(super) fn event(&mut self, event: ReplyEvent, tell: &mut impl Tell) {
        match event {
            ReplyEvent::Text(delta) if !delta.is_empty() => self.text(&delta, tell),
            ReplyEvent::Reasoning(delta) if !delta.is_empty() => self.thought(&delta, tell),
            ReplyEvent::Signature(delta) => self.signature(&delta, tell),
            ReplyEvent::Redacted(delta) => {
                self.close("completed", tell);
                let body = Body::Reasoning {
                    text: String::new(),
                    signature: String::new(),
                    redacted: delta.escaped().to_owned(),
                };
                self.begin("rs", body, tell);
                self.close("completed", tell);
            }
            ReplyEvent::ToolUseStart { id, name } => self.call(id, name, tell),
            ReplyEvent::ToolInput(delta) => self.input(&delta, tell),
            ReplyEvent::ToolUseEnd => self.end_call(tell),
            // It must not be carried out, so it is not told to be complete.
            ReplyEvent::ToolUseCut => {
                self.open = None;
                self.was_cut = true;
            }
            ReplyEvent::Stop(stop) => {
                self.status = Status::of(stop, self.was_cut);
                self.close(self.status.as_str(), tell);
            }
            // Those that are empty begin no item.
            ReplyEvent::Text(_) | ReplyEvent::Reasoning(_) => {}
            ReplyEvent::Start | ReplyEvent::Usage(_) => {}
        }
    }

    fn text(&mut self, delta: &Delta, tell: &mut impl Tell) {
        if !matches!(
            &self.open,
            Some(Open {
                body: Body::Message { .. },
                ..
            })
        ) {
            self.close("completed", tell);
            let text = String::new();
            self.begin("msg", Body::Message { text }, tell);
        }
        self.append(delta.escaped(), tell);
    }

    fn thought(&mut self, delta: &Delta, tell: &mut impl Tell) {
        let goes_on = matches!(
            &self.open,
            Some(Open { body: Body::Reasoning { signature, .. }, .. }) if signature.is_empty()
        );
        if !goes_on {
            self.close("completed", tell);
            self.begin("rs", Body::thoughts(), tell);
        }
        self.append(delta.escaped(), tell);
    }

    fn signature(&mut self, delta: &Delta, tell: &mut impl Tell) {
        if !matches!(
            &self.open,
            Some(Open {
                body: Body::Reasoning { .. },
                ..
            })
        ) {
            self.close("completed", tell);
            self.begin("rs", Body::thoughts(), tell);
        }
        if let Some(Open {
            body: Body::Reasoning { signature, .. },
            ..
        }) = &mut self.open
        {
            signature.push_str(delta.escaped());
        }
    }

    fn call(&mut self, call_id: String, name: String, tell: &mut impl Tell) {
        self.close("completed", tell);
        let told = self.told.get(&name).cloned().unwrap_or(Told {
            kind: ToolKind::Function,
            name,
            namespace: None,
        });
        let prefix = match told.kind {
            ToolKind::Function => "fc",
            ToolKind::Custom => "ctc",
            ToolKind::ToolSearch => "tsc",
        };
        let arguments = String::new();
        let body = Body::Call {
            call_id,
            told,
            arguments,
        };
        self.begin(prefix, body, tell);
    }

    fn input(&mut self, delta: &Delta, tell: &mut impl Tell) {
        match &mut self.open {
            // A function's arguments are told as they come; other input is known when it is whole.
            Some(open) if open.is_function() => self.append(delta.escaped(), tell),
            Some(Open {
                body: Body::Call { arguments, .. },
                ..
            }) => {
                arguments.push_str(delta.escaped());
            }
            _ => {}
        }
    }

    fn end_call(&mut self, tell: &mut impl Tell) {
        if let Some(open) = &mut self.open
            && let Body::Call {
                told, arguments, ..
            } = &mut open.body
        {
            let piece = match told.kind {
                ToolKind::Function if arguments.is_empty() => "{}".to_owned(),
                ToolKind::Function => String::new(),
                ToolKind::Custom => free_text(&escaped(arguments)).escaped().to_owned(),
                ToolKind::ToolSearch => match arguments.is_empty() {
                    true => "{}".to_owned(),
                    false => std::mem::take(arguments),
                },
            };
            if told.kind == ToolKind::Custom {
                arguments.clear();
            }
            if !piece.is_empty() {
                self.append(&piece, tell);
            }
        }
        self.close("completed", tell);
    }

    fn begin(&mut self, prefix: &str, body: Body, tell: &mut impl Tell) {
        let open = Open {
            id: format!("{prefix}_{}", Uuid::new_v4().simple()),
            index: self.n_begun,
            salt: self.salt.clone(),
            body,
        };
        self.n_begun += 1;
        tell.begun(&open);
        self.open = Some(open);
    }

    fn append(&mut self, piece: &str, tell: &mut impl Tell) {
        let Some(open) = &mut self.open else { return };
        match &mut open.body {
            Body::Message { text } | Body::Reasoning { text, .. } => text.push_str(piece),
            Body::Call { arguments, .. } => arguments.push_str(piece),
        }
        tell.more(open, piece);
    }

    fn close(&mut self, status: &'static str, tell: &mut impl Tell) {
        let Some(open) = self.open.take() else { return };
        tell.done(&open, status);
        // Strings in their JSON form have no way to fail.
        let json = |tells_sealed| open.with_item(status, tells_sealed, |item| to_raw_value(item));
        if let (Ok(told), Ok(kept)) = (json(self.tells_sealed), json(true)) {
            self.done.push(told);
            self.kept.push(Item {
                id: open.id,
                json: kept.into(),
            });
        }
    }
}

impl Body {
    fn thoughts() -> Self {
        Self::Reasoning {
            text: String::new(),
            signature: String::new(),
            redacted: String::new(),
        }
    }
}

impl Open {
    fn is_function(&self) -> bool {
        matches!(&self.body, Body::Call { told, .. } if told.kind == ToolKind::Function)
    }

    /// The text, thoughts or input so far.
    pub(super) fn text(&self) -> Text<'static> {
        text(match &self.body {
            Body::Message { text } | Body::Reasoning { text, .. } => text,
            Body::Call { arguments, .. } => arguments,
        })
    }

    /// Its one part, if it has parts.
    pub(super) fn part(&self, text: Text<'static>) -> Option<OutputPart<'static>> {
        match &self.body {
            Body::Message { .. } => Some(OutputPart::OutputText {
                text,
                annotations: [],
                logprobs: [],
            }),
            Body::Reasoning { redacted, .. } if redacted.is_empty() => {
                Some(OutputPart::SummaryText { text })
            }
            _ => None,
        }
    }

    /// The item at its beginning.
    pub(super) fn with_beginning<R>(&self, then: impl FnOnce(OutputItem<'_>) -> R) -> R {
        self.item("in_progress", &[], &Text::new(""), "{}", None, then)
    }

    /// The item at its end.
    pub(super) fn with_item<R>(
        &self,
        status: &str,
        tells_sealed: bool,
        then: impl FnOnce(&OutputItem<'_>) -> R,
    ) -> R {
        let text = self.text();
        let part = self.part(text.clone());
        let arguments = text.to_plain().unwrap_or_default().into_owned();
        let sealed = tells_sealed.then(|| self.sealed()).flatten();
        let is_empty = matches!(&self.body, Body::Reasoning { text, .. } if text.is_empty());
        let parts = part.as_slice();
        let parts = if is_empty { &[] } else { parts };
        self.item(status, parts, &text, &arguments, sealed, |item| then(&item))
    }

    /// The thoughts in the form in which they come back.
    fn sealed(&self) -> Option<String> {
        match &self.body {
            Body::Reasoning {
                text,
                signature,
                redacted,
            } => sealed::seal(
                &self.salt,
                &escaped(text),
                &escaped(signature),
                &escaped(redacted),
            ),
            _ => None,
        }
    }

    fn item<R>(
        &self,
        status: &str,
        parts: &[OutputPart<'_>],
        text: &Text<'_>,
        arguments: &str,
        sealed: Option<String>,
        then: impl FnOnce(OutputItem<'_>) -> R,
    ) -> R {
        let id = &*self.id;
        match &self.body {
            Body::Message { .. } => then(OutputItem::Message {
                id,
                status,
                role: "assistant",
                content: parts,
            }),
            Body::Reasoning { .. } => then(OutputItem::Reasoning {
                id,
                summary: parts,
                encrypted_content: sealed.map(Into::into),
            }),
            Body::Call { call_id, told, .. } => {
                let (name, namespace) = (&*told.name, told.namespace.as_deref());
                match told.kind {
                    ToolKind::Function => then(OutputItem::FunctionCall {
                        id,
                        status,
                        call_id,
                        name,
                        namespace,
                        arguments: text,
                    }),
                    ToolKind::Custom => then(OutputItem::CustomToolCall {
                        id,
                        status,
                        call_id,
                        name,
                        namespace,
                        input: text,
                    }),
                    ToolKind::ToolSearch => {
                        let raw = RawValue::from_string(arguments.to_owned());
                        let raw = raw.unwrap_or_else(|_| RawValue::NULL.to_owned());
                        then(OutputItem::ToolSearchCall {
                            id,
                            call_id,
                            execution: "client",
                            arguments: &raw,
                            status,
                        })
                    }
                }
            }
        }
    }
}

/// Pieces of escaped text are an escaped text; were they not, there would be nothing to tell.
fn escaped(text: &str) -> JsonText {
    JsonText::from_escaped(text.to_owned().into()).unwrap_or_default()
}

fn text(escaped: &str) -> Text<'static> {
    let json = format!("\"{escaped}\"");
    Text::from_json(&json).map_or_else(|_| Text::new(""), Text::into_owned)
}
