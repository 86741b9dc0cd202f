//! Keeps the grammar: puts what arrives in any order into blocks, one after the other.

use std::collections::{HashSet, VecDeque};

use super::halves::{Halves, escaped};
use super::{ReplyError, ReplyEvent};
use crate::conversation::JsonObject;
use crate::event::{ToolInput, ToolUseFragment};
use crate::request::ToolNames;
use crate::text::JsonText;

/// Most blocks that may wait for a tool use to end. Models ask for a handful of tools; each fragment is
/// looked up among all that wait.
pub(super) const MAX_WAITING_BLOCKS: usize = 1_024;

/// What a block or an id costs besides its text, so that many short ones count as much as they take.
const OVERHEAD_BYTES: usize = 128;

/// Gives out blocks in the order in which they began.
///
/// At most one block is open. While it is anything but a tool use, everything is given out at once. A
/// tool use stays open until its end, so what arrives for other blocks waits behind it.
#[derive(Debug)]
pub(super) struct Blocks {
    /// What the caller has not taken yet.
    pub(super) ready: VecDeque<ReplyEvent>,
    tool_names: ToolNames,
    max_held_bytes: usize,
    /// Bytes in `signature`, `open`, `waiting` and `ended`; at most `max_held_bytes`.
    held_bytes: usize,
    /// The signature of the thoughts given out last, until it is certain that no piece follows.
    signature: Option<JsonText>,
    /// The tool use whose input is being given out.
    open: Option<ToolUse>,
    /// What began after the open tool use; empty when there is none.
    waiting: VecDeque<Waiting>,
    /// Ids of the tool uses that have been given out or dropped.
    ended: HashSet<String>,
    seen: Seen,
}

/// What has been given out so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Text, thoughts or a tool use.
    pub(super) anything: bool,
    /// A complete tool use.
    pub(super) tool_use: bool,
    /// A tool use that was cut.
    pub(super) cut: bool,
}

/// Something that began while a tool use was open. Copied, because a slice of a few bytes would keep a
/// whole segment alive.
#[derive(Debug)]
enum Waiting {
    Text(String),
    Reasoning(String),
    Signature(String),
    Redacted(String),
    ToolUse(ToolUse),
}

#[derive(Debug)]
struct ToolUse {
    id: String,
    name: String,
    /// The input so far, unescaped.
    input: String,
    halves: Halves,
    stopped: bool,
}

/// Whether a fragment meant anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// A repeat, or a tool use after one that was cut.
    No,
}

impl Blocks {
    pub(super) fn new(tool_names: ToolNames, max_held_bytes: usize) -> Self {
        Self {
            ready: VecDeque::new(),
            tool_names,
            max_held_bytes,
            held_bytes: 0,
            signature: None,
            open: None,
            waiting: VecDeque::new(),
            ended: HashSet::new(),
            seen: Seen::default(),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    pub(super) fn text(&mut self, delta: JsonText) -> Result<(), ReplyError> {
        if delta.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            self.give(ReplyEvent::Text(delta));
            return Ok(());
        }
        if let Some(Waiting::Text(text)) = self.waiting.back_mut() {
            text.push_str(delta.escaped());
            return self.hold(delta.len());
        }
        self.wait(Waiting::Text(delta.escaped().to_owned()), delta.len())
    }

    pub(super) fn reasoning(&mut self, delta: JsonText) -> Result<(), ReplyError> {
        if delta.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            self.give(ReplyEvent::Reasoning(delta));
            return Ok(());
        }
        if let Some(Waiting::Reasoning(text)) = self.waiting.back_mut() {
            text.push_str(delta.escaped());
            return self.hold(delta.len());
        }
        self.wait(Waiting::Reasoning(delta.escaped().to_owned()), delta.len())
    }

    pub(super) fn signature(&mut self, piece: JsonText) -> Result<(), ReplyError> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            let bytes = piece.len();
            self.add_signature(piece);
            return self.hold(bytes);
        }
        if let Some(Waiting::Signature(signature)) = self.waiting.back_mut() {
            signature.push_str(piece.escaped());
            return self.hold(piece.len());
        }
        self.wait(Waiting::Signature(piece.escaped().to_owned()), piece.len())
    }

    pub(super) fn redacted(&mut self, content: JsonText) -> Result<(), ReplyError> {
        if content.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            self.give(ReplyEvent::Redacted(content));
            return Ok(());
        }
        self.wait(
            Waiting::Redacted(content.escaped().to_owned()),
            content.len(),
        )
    }

    pub(super) fn tool_use(&mut self, fragment: ToolUseFragment) -> Result<Taken, ReplyError> {
        let id = fragment.id.unescape();
        if self.ended.contains(&*id) {
            return Ok(Taken::No);
        }
        if self.find(&id).is_none() {
            if self.seen.cut {
                return Ok(Taken::No);
            }
            self.begin(&id, fragment.name)?;
        }
        self.add(&id, fragment.input, fragment.stop)
    }

    /// The reply has ended: what is still open is cut.
    pub(super) fn finish(&mut self) {
        if self.open.is_some() {
            self.end_open(false);
        }
        self.give_signature();
    }

    /// The tool use of that id: the open one or one that waits.
    fn find(&mut self, id: &str) -> Option<&mut ToolUse> {
        let waiting = self.waiting.iter_mut().filter_map(|waiting| match waiting {
            Waiting::ToolUse(tool_use) => Some(tool_use),
            _ => None,
        });
        let mut all = self.open.iter_mut().chain(waiting);
        all.find(|tool_use| tool_use.id == id)
    }

    fn begin(&mut self, id: &str, name: Option<JsonText>) -> Result<(), ReplyError> {
        let name = name
            .filter(|name| !name.is_empty())
            .ok_or(ReplyError::ToolUseWithoutName)?;
        let name = self.tool_names.restore(&name.unescape()).to_owned();
        // The id stays after the end; the rest is released with the tool use.
        self.hold(id.len() + OVERHEAD_BYTES)?;
        let tool_use = ToolUse {
            id: id.to_owned(),
            name,
            input: String::new(),
            halves: Halves::default(),
            stopped: false,
        };
        if self.open.is_none() {
            self.open(tool_use);
            return Ok(());
        }
        let bytes = tool_use.name.len();
        self.wait(Waiting::ToolUse(tool_use), bytes)
    }

    /// Adds to a tool use that has begun.
    fn add(&mut self, id: &str, input: Option<ToolInput>, stop: bool) -> Result<Taken, ReplyError> {
        let Some(tool_use) = self.find(id).filter(|tool_use| !tool_use.stopped) else {
            return Ok(Taken::No);
        };
        let before = tool_use.input.len();
        let delta = tool_use.add(input, stop);
        let added = tool_use.input.len() - before;
        self.hold(added)?;
        if self.open.as_ref().is_some_and(|open| open.id == id) {
            if !delta.is_empty() {
                self.ready.push_back(ReplyEvent::ToolInput(delta));
            }
            if stop {
                self.end_open(true);
            }
        }
        Ok(Taken::Yes)
    }

    fn open(&mut self, tool_use: ToolUse) {
        self.give(ReplyEvent::ToolUseStart {
            id: tool_use.id.clone(),
            name: tool_use.name.clone(),
        });
        if !tool_use.input.is_empty() {
            let input = JsonText::new(&tool_use.input);
            self.ready.push_back(ReplyEvent::ToolInput(input));
        }
        self.open = Some(tool_use);
    }

    /// Ends the open tool use and gives out what has waited for that, up to the next tool use that has
    /// not stopped.
    fn end_open(&mut self, stopped: bool) {
        self.close(stopped);
        while let Some(waiting) = self.waiting.pop_front() {
            self.release(OVERHEAD_BYTES);
            match waiting {
                Waiting::Text(text) => {
                    self.release(text.len());
                    self.give(ReplyEvent::Text(escaped(text)));
                }
                Waiting::Reasoning(text) => {
                    self.release(text.len());
                    self.give(ReplyEvent::Reasoning(escaped(text)));
                }
                Waiting::Signature(signature) => self.add_signature(escaped(signature)),
                Waiting::Redacted(content) => {
                    self.release(content.len());
                    self.give(ReplyEvent::Redacted(escaped(content)));
                }
                Waiting::ToolUse(tool_use) => {
                    self.release(tool_use.name.len());
                    if self.seen.cut {
                        self.forget(tool_use);
                        continue;
                    }
                    let stopped = tool_use.stopped;
                    self.open(tool_use);
                    if !stopped {
                        return;
                    }
                    self.close(true);
                }
            }
        }
    }

    fn close(&mut self, stopped: bool) {
        let Some(mut tool_use) = self.open.take() else {
            return;
        };
        let input = std::mem::take(&mut tool_use.input);
        self.release(input.len());
        if stopped && JsonObject::parse(input).is_ok() {
            self.seen.tool_use = true;
            self.ready.push_back(ReplyEvent::ToolUseEnd);
        } else {
            self.seen.cut = true;
            self.ready.push_back(ReplyEvent::ToolUseCut);
        }
        self.ended.insert(tool_use.id);
    }

    /// Drops a tool use that has not been given out.
    fn forget(&mut self, tool_use: ToolUse) {
        self.release(tool_use.input.len());
        self.ended.insert(tool_use.id);
    }

    fn wait(&mut self, block: Waiting, bytes: usize) -> Result<(), ReplyError> {
        if self.waiting.len() >= MAX_WAITING_BLOCKS {
            return Err(ReplyError::TooManyBlocks {
                limit: MAX_WAITING_BLOCKS,
            });
        }
        self.hold(bytes + OVERHEAD_BYTES)?;
        self.waiting.push_back(block);
        Ok(())
    }

    fn add_signature(&mut self, piece: JsonText) {
        self.signature = Some(match self.signature.take() {
            None => piece,
            Some(earlier) => escaped(earlier.escaped().to_owned() + piece.escaped()),
        });
    }

    fn give_signature(&mut self) {
        if let Some(signature) = self.signature.take() {
            self.release(signature.len());
            self.seen.anything = true;
            self.ready.push_back(ReplyEvent::Signature(signature));
        }
    }

    /// Gives out the beginning or a part of a block; the signature of the thoughts before it comes first.
    fn give(&mut self, event: ReplyEvent) {
        self.give_signature();
        self.seen.anything = true;
        self.ready.push_back(event);
    }

    fn hold(&mut self, bytes: usize) -> Result<(), ReplyError> {
        self.held_bytes += bytes;
        if self.held_bytes > self.max_held_bytes {
            return Err(ReplyError::TooMuchHeld {
                limit: self.max_held_bytes,
            });
        }
        Ok(())
    }

    fn release(&mut self, bytes: usize) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }
}

impl ToolUse {
    /// Adds to the input. Returns what is new, as it is to be given out.
    fn add(&mut self, input: Option<ToolInput>, stop: bool) -> JsonText {
        let delta = match input {
            None => JsonText::default(),
            Some(ToolInput::Piece(piece)) => self.halves.join(piece),
            Some(ToolInput::Whole(input)) => match &*input {
                // The service starts some tool uses with an empty object and then sends the input.
                "{}" => JsonText::default(),
                input => JsonText::new(input),
            },
        };
        let lost = if stop { self.halves.end() } else { None };
        let delta = match lost {
            None => delta,
            Some(lost) => escaped(delta.escaped().to_owned() + lost.escaped()),
        };
        self.stopped |= stop;
        let plain = delta.unescape();
        // White space before the input means nothing, and alone it would not be JSON.
        let is_idle = self.input.is_empty() && plain.trim().is_empty();
        // Some models repeat a whole event. After a whole object nothing else can follow.
        let is_repeat = !plain.is_empty() && self.input == plain && plain.ends_with('}');
        if is_idle || is_repeat {
            return JsonText::default();
        }
        self.input.push_str(&plain);
        drop(plain);
        delta
    }
}
