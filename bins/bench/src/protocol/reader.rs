//! The ways of reading a stream that are compared.

use std::borrow::Cow;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::Message;
use bytes::{Buf, BytesMut};
use kiro_protocol::Generation;
use kiro_protocol::eventstream::FrameDecoder;
use kiro_protocol::reply::{ReplyDecoder, ReplyEvent};
use serde::Deserialize;

use super::corpus::{Corpus, Cut};
use crate::Failure;

/// One way of reading a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Our decoder: payloads of frames.
    Frames,
    /// The decoder of the AWS SDK: payloads of frames.
    SmithyFrames,
    /// Nothing but the checksum of each frame: what no decoder can do without.
    Checksums,
    /// Our decoder of replies: escaped texts.
    Reply,
    /// What one would write without us: the decoder of the AWS SDK, and serde for the payload. Texts.
    SmithyAndSerde,
}

impl Reader {
    const ALL: [Self; 5] = [
        Self::Frames,
        Self::SmithyFrames,
        Self::Checksums,
        Self::Reply,
        Self::SmithyAndSerde,
    ];

    /// The one of that name.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reader| reader.name() == name)
    }

    /// A name for messages and for the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::SmithyFrames => "smithy-frames",
            Self::Checksums => "checksums",
            Self::Reply => "reply",
            Self::SmithyAndSerde => "smithy-and-serde",
        }
    }

    /// Reads the whole stream and hands each thing on.
    pub(super) fn read(self, corpus: &Corpus, each: impl FnMut(&[u8])) -> Result<(), Failure> {
        match self {
            Self::Frames => frames(corpus, each),
            Self::SmithyFrames => smithy_frames(corpus, each),
            Self::Checksums => checksums(corpus, each),
            Self::Reply => reply(corpus, each),
            Self::SmithyAndSerde => smithy_and_serde(corpus, each),
        }
    }
}

fn frames(corpus: &Corpus, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    let mut decoder = FrameDecoder::new();
    for segment in &corpus.segments {
        decoder.push(segment.clone());
        while let Some(frame) = decoder.next_frame()? {
            each(frame.payload_bytes());
        }
    }
    Ok(decoder.finish()?)
}

fn smithy_frames(corpus: &Corpus, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    smithy(corpus, |message| {
        each(message.payload());
        Ok(())
    })
}

/// Feeds the other decoder in the fastest way that was found: with the segment itself while frames lie whole
/// in it, else from a buffer to which segments are appended. The segmented buffer of the AWS SDK is a fifth
/// slower with both, except that frames of many segments gain a tenth.
fn smithy(
    corpus: &Corpus,
    mut each: impl FnMut(&Message) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut decoder = MessageFrameDecoder::new();
    let mut buffer = BytesMut::new();
    for segment in &corpus.segments {
        match corpus.cut {
            Cut::Whole => drain(&mut decoder, &mut segment.clone(), &mut each)?,
            Cut::Every(_) => {
                buffer.extend_from_slice(segment);
                drain(&mut decoder, &mut buffer, &mut each)?;
            }
        }
    }
    Ok(())
}

fn drain(
    decoder: &mut MessageFrameDecoder,
    buffer: &mut impl Buf,
    each: &mut impl FnMut(&Message) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut *buffer)? {
        each(&message)?;
    }
    Ok(())
}

fn checksums(corpus: &Corpus, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    for frame in &corpus.frames {
        let (covered, checksum) = frame.split_last_chunk().ok_or("a frame without checksum")?;
        if crc32fast::hash(covered) != u32::from_be_bytes(*checksum) {
            return Err("a wrong checksum".into());
        }
        each(covered);
    }
    Ok(())
}

fn reply(corpus: &Corpus, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    let mut decoder = ReplyDecoder::new(Generation::Krs);
    let mut each = |event| {
        if let ReplyEvent::Text(delta) = event {
            each(delta.escaped().as_bytes());
        }
    };
    for segment in &corpus.segments {
        decoder.push(segment.clone());
        while let Some(event) = decoder.next_event()? {
            each(event);
        }
    }
    decoder.finish()?;
    while let Some(event) = decoder.next_event()? {
        each(event);
    }
    Ok(())
}

fn smithy_and_serde(corpus: &Corpus, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct AssistantResponse<'a> {
        #[serde(borrow)]
        content: Cow<'a, str>,
    }

    smithy(corpus, |message| {
        let header = |name: &str| {
            let found = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name);
            found
                .and_then(|header| header.value().as_string().ok())
                .map(|value| value.as_str())
        };
        if header(":message-type") == Some("event")
            && header(":event-type") == Some("assistantResponseEvent")
        {
            let event: AssistantResponse<'_> = serde_json::from_slice(message.payload())?;
            each(event.content.as_bytes());
        }
        Ok(())
    })
}
