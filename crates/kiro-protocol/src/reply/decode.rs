//! Bytes to reply events.

use bytes::Bytes;

use super::assemble::Assembler;
use super::blocks::MAX_WAITING_BLOCKS;
use super::{ReplyError, ReplyEvent};
use crate::Generation;
use crate::event::KiroEvent;
use crate::eventstream::{FrameDecoder, Limits};
use crate::request::ToolNames;

/// How to read a reply.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReplyOptions {
    /// In which generation the request was sent; decides what a missing stop reason means.
    pub generation: Generation,
    /// How tools were renamed for the request. Default: not at all.
    pub tool_names: ToolNames,
    /// Whether thoughts between tags at the start of the text are given out as reasoning: for models that
    /// were told to think so. Default: no.
    pub thinking_tags: bool,
    /// Most bytes to hold back: the input of the open tool use, what waits behind it, signatures, and the
    /// ids of all tool uses. Default: [`DEFAULT_MAX_HELD_BYTES`](Self::DEFAULT_MAX_HELD_BYTES).
    pub max_held_bytes: usize,
    /// What the frames may be like.
    pub limits: Limits,
}

impl ReplyOptions {
    /// 16 MiB. The longest output of any model, 128,000 tokens, has about half a MiB.
    pub const DEFAULT_MAX_HELD_BYTES: usize = 16 * 1024 * 1024;

    /// Most blocks that may wait for a tool use to end.
    pub const MAX_WAITING_BLOCKS: usize = MAX_WAITING_BLOCKS;

    /// The defaults for a generation.
    pub fn new(generation: Generation) -> Self {
        Self {
            generation,
            tool_names: ToolNames::default(),
            thinking_tags: false,
            max_held_bytes: Self::DEFAULT_MAX_HELD_BYTES,
            limits: Limits::default(),
        }
    }
}

/// Reads a reply: segments in, [`ReplyEvent`]s out, in the grammar of [`reply`](super).
///
/// Push a segment, take events until there is none, push the next; at the end of the stream finish and
/// take the last events:
///
/// ```
/// use kiro_protocol::Generation;
/// use kiro_protocol::reply::{ReplyDecoder, ReplyEvent};
///
/// # let segments = [kiro_protocol_example()];
/// let mut reply = ReplyDecoder::new(Generation::Krs);
/// let mut text = String::new();
/// for segment in segments {
///     reply.push(segment);
///     while let Some(event) = reply.next_event()? {
///         if let ReplyEvent::Text(delta) = event {
///             text += &delta.unescape();
///         }
///     }
/// }
/// reply.finish()?;
/// while let Some(event) = reply.next_event()? {
///     if let ReplyEvent::Stop(reason) = event {
///         println!("{text} ({reason:?})");
///     }
/// }
/// # assert_eq!(text, "Hi");
/// # fn kiro_protocol_example() -> bytes::Bytes {
/// #     use kiro_protocol::eventstream::{HeaderValue, write_frame};
/// #     let mut out = bytes::BytesMut::new();
/// #     for (event, payload) in [
/// #         ("assistantResponseEvent", r#"{"content":"Hi"}"#),
/// #         ("metadataEvent", r#"{"stopReason":"END_TURN"}"#),
/// #     ] {
/// #         let headers = [
/// #             (":event-type", HeaderValue::String(event)),
/// #             (":message-type", HeaderValue::String("event")),
/// #         ];
/// #         write_frame(&headers, payload.as_bytes(), &mut out).unwrap();
/// #     }
/// #     out.freeze()
/// # }
/// # Ok::<(), kiro_protocol::reply::ReplyError>(())
/// ```
///
/// Text is given out as slices of the segments. Nothing is allocated per text event; a tool use allocates
/// for its id, its name and its input.
///
/// When the connection breaks, drop the decoder and report the breakage: [`finish`](Self::finish) is for
/// streams that ended cleanly.
#[derive(Debug)]
pub struct ReplyDecoder {
    frames: FrameDecoder,
    assembler: Assembler,
    end: End,
}

#[derive(Debug)]
enum End {
    NotYet,
    Finished,
    Failed(ReplyError),
}

impl ReplyDecoder {
    /// A decoder with the default options.
    pub fn new(generation: Generation) -> Self {
        Self::with_options(ReplyOptions::new(generation))
    }

    /// A decoder with options.
    pub fn with_options(options: ReplyOptions) -> Self {
        Self {
            frames: FrameDecoder::with_limits(options.limits),
            assembler: Assembler::new(&options),
            end: End::NotYet,
        }
    }

    /// Takes the next segment of the stream. After the end or an error it is dropped.
    pub fn push(&mut self, segment: Bytes) {
        if matches!(self.end, End::NotYet) {
            self.frames.push(segment);
        }
    }

    /// The next event, or `None` when more bytes are needed or, after [`finish`](Self::finish), when the
    /// reply is complete.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] when the reply is broken or the service broke it off. Events that came before are
    /// given out first. The error is final: every later call gives it again.
    pub fn next_event(&mut self) -> Result<Option<ReplyEvent>, ReplyError> {
        loop {
            if let Some(event) = self.assembler.pop() {
                return Ok(Some(event));
            }
            match &self.end {
                End::Failed(error) => return Err(error.clone()),
                End::Finished => return Ok(None),
                End::NotYet => {}
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => self.end = End::Failed(error),
            }
        }
    }

    /// Says that the stream has ended cleanly. Take the last events afterwards; the very last is
    /// [`ReplyEvent::Stop`].
    ///
    /// # Errors
    ///
    /// [`ReplyError`] when the reply is broken, cut off, empty or has been broken off by the service.
    pub fn finish(&mut self) -> Result<(), ReplyError> {
        match &self.end {
            End::Failed(error) => return Err(error.clone()),
            End::Finished => return Ok(()),
            End::NotYet => {}
        }
        match self.read_to_end() {
            Ok(()) => {
                self.end = End::Finished;
                Ok(())
            }
            Err(error) => {
                self.end = End::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// The model that writes, as far as the service has said; news when the request said `auto`.
    pub fn model(&self) -> Option<&str> {
        self.assembler.model()
    }

    /// How many events said nothing that a reply carries: unknown ones, those of other products, licence
    /// notices and the like, repeated tool uses, tool uses after a cut one.
    pub fn ignored_events(&self) -> u64 {
        self.assembler.ignored()
    }

    /// Takes one frame. Says whether there was one.
    fn step(&mut self) -> Result<bool, ReplyError> {
        let Some(frame) = self.frames.next_frame()? else {
            return Ok(false);
        };
        let event = KiroEvent::decode(&frame)?;
        self.assembler.push(event)?;
        Ok(true)
    }

    fn read_to_end(&mut self) -> Result<(), ReplyError> {
        while self.step()? {}
        self.frames.finish()?;
        self.assembler.finish()
    }
}
