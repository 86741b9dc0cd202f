//! The bytes that every decoder gets, and what must come out.

use bytes::Bytes;

use crate::Failure;
use crate::frame::event;
use crate::text;

/// Segments of a stream, as a body delivers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Each frame in a segment of its own, as Kiro sends them: one HTTP chunk per event.
    Whole,
    /// The stream in segments of this many bytes, whatever the frames.
    Every(usize),
}

/// What a stream consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Frames with payloads of exactly this many bytes.
    Payloads(usize),
    /// A reply of text, a word per frame.
    Words,
}

/// A stream of frames.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) cut: Cut,
    /// The stream as it arrives.
    pub(super) segments: Vec<Bytes>,
    /// The frames, each on its own.
    pub(super) frames: Vec<Bytes>,
    /// How many things come out, and their bytes.
    pub(super) expected: Seen,
}

/// What came out of a decoder: how many things, and all of their bytes as a length and a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) crc: u32,
}

impl Seen {
    /// Of these things.
    pub(super) fn of<'a>(things: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut tally = Tally::default();
        for thing in things {
            tally.add(thing);
        }
        tally.seen()
    }
}

/// Adds up to a [`Seen`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: u64,
    bytes: u64,
    hasher: crc32fast::Hasher,
}

impl Tally {
    pub(super) fn add(&mut self, thing: &[u8]) {
        self.count += 1;
        self.bytes += thing.len() as u64;
        self.hasher.update(thing);
    }

    pub(super) fn seen(self) -> Seen {
        Seen {
            count: self.count,
            bytes: self.bytes,
            crc: self.hasher.finalize(),
        }
    }
}

impl Corpus {
    /// Makes the stream: always the same bytes for the same arguments.
    pub(super) fn of(content: Content, cut: Cut) -> Result<Self, Failure> {
        match content {
            Content::Payloads(bytes) => Self::of_payloads(bytes, cut),
            Content::Words => Self::of_texts(&text::words(), cut),
        }
    }

    /// About 256 KiB, so that a processor's second cache holds it, and at least eight frames.
    fn of_payloads(payload_bytes: usize, cut: Cut) -> Result<Self, Failure> {
        let n_frames = (256 * 1024 / payload_bytes).clamp(8, 2_000);
        let mut random = Random(payload_bytes as u64);
        let payloads: Vec<String> = (0..n_frames)
            .map(|_| payload(payload_bytes, &mut random))
            .collect();
        let frames = payloads
            .iter()
            .map(|payload| event("assistantResponseEvent", payload))
            .collect::<Result<Vec<_>, _>>()?;
        let expected = Seen::of(payloads.iter().map(String::as_bytes));
        Ok(Self::new(&frames, cut, expected))
    }

    /// A whole reply, as the newest generation of the service sends it.
    fn of_texts(texts: &[&str], cut: Cut) -> Result<Self, Failure> {
        let mut frames = vec![event("initial-response", r#"{"conversationId":""}"#)?];
        for text in texts {
            let text = serde_json::to_string(text)?;
            let payload = format!(r#"{{"content":{text},"modelId":"claude-sonnet-4.5"}}"#);
            frames.push(event("assistantResponseEvent", &payload)?);
        }
        frames.push(event("metadataEvent", r#"{"stopReason":"END_TURN"}"#)?);
        let expected = Seen::of(texts.iter().map(|text| text.as_bytes()));
        Ok(Self::new(&frames, cut, expected))
    }

    fn new(frames: &[Bytes], cut: Cut, expected: Seen) -> Self {
        // One buffer under all of it: a body gives out slices of its connection's read buffer.
        let stream = Bytes::from(frames.concat());
        let lengths = frames.iter().map(Bytes::len);
        let frames = slices(&stream, lengths);
        let segments = match cut {
            Cut::Whole => frames.clone(),
            Cut::Every(bytes) => slices(&stream, std::iter::repeat(bytes)),
        };
        Self {
            cut,
            segments,
            frames,
            expected,
        }
    }
}

/// The stream in slices of these lengths, until it ends.
fn slices(stream: &Bytes, lengths: impl Iterator<Item = usize>) -> Vec<Bytes> {
    let mut rest = stream.clone();
    lengths
        .map_while(|length| {
            let length = length.min(rest.len());
            (length > 0).then(|| rest.split_to(length))
        })
        .collect()
}

/// A text event's payload, filled to the length.
fn payload(bytes: usize, random: &mut Random) -> String {
    const AROUND: usize = r#"{"content":""}"#.len();
    let text: String = (AROUND..bytes)
        .map(|_| char::from(b'a' + (random.next() % 26) as u8))
        .collect();
    format!(r#"{{"content":"{text}"}}"#)
}

/// The same numbers in every run (xorshift), so that every run measures the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 33
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_the_length_asked_for() {
        for bytes in [40, 200, 4096] {
            let corpus = Corpus::of(Content::Payloads(bytes), Cut::Whole).unwrap();
            let Seen {
                count, bytes: all, ..
            } = corpus.expected;
            assert_eq!(all, count * bytes as u64);
            // Twelve bytes of prelude, 92 of headers, four of checksum.
            assert_eq!(corpus.frames[0].len(), bytes + 108);
        }
    }

    #[test]
    fn a_cut_changes_no_byte() {
        let whole = Corpus::of(Content::Words, Cut::Whole).unwrap();
        let cut = Corpus::of(Content::Words, Cut::Every(1400)).unwrap();
        assert_eq!(whole.segments.concat(), cut.segments.concat());
        assert_eq!(cut.segments[0].len(), 1400);
    }
}
