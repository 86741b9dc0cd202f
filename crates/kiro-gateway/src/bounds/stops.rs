//! Stop sequences: where in a text that comes in pieces one of them ends first.

use kiro_protocol::reply::Delta;
use kiro_protocol::text::JsonText;

/// Looks for several sequences at once, and holds back what may be the beginning of one.
#[derive(Debug)]
pub(super) struct Stops {
    sequences: Vec<Sequence>,
    /// Text that was looked at and not given out.
    held: JsonText,
}

/// What is known after a piece of text.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// The text that is certainly not part of a sequence.
    Text(Delta),
    /// A sequence ended: the text before it, and which one.
    Stop(Delta, String),
}

/// One sequence and how much of it the end of the text so far is: the search of Knuth, Morris and Pratt,
/// byte by byte. Sequences and characters are whole UTF-8, so a match begins and ends between characters.
#[derive(Debug)]
struct Sequence {
    bytes: Vec<u8>,
    /// For each number of matched bytes, how many still match when the next one does not.
    fallback: Vec<usize>,
    matched: usize,
}

impl Stops {
    pub(super) fn new(sequences: &[String]) -> Self {
        let sequences = sequences.iter().filter(|sequence| !sequence.is_empty());
        Self {
            sequences: sequences.map(|sequence| Sequence::new(sequence)).collect(),
            held: JsonText::default(),
        }
    }

    /// Whether there is anything to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Takes the next piece of text.
    ///
    /// The sequence that ends first counts; of several that end there, the longest.
    pub(super) fn push(&mut self, delta: Delta) -> Found {
        if self.is_empty() {
            return Found::Text(delta);
        }
        let n_known = self.held.len();
        let text = join(&self.held, delta);
        // Where each character begins, in bytes of the escaped form and of the plain one.
        let mut places = Vec::new();
        let mut plain = 0;
        for (at, character) in text.characters() {
            places.push((at, plain));
            plain += character.len_utf8();
            if at >= n_known
                && let Some(found) = self.next(character)
            {
                self.held = JsonText::default();
                let text = before(&text, &places, plain - found.len()).0;
                return Found::Stop(text, found);
            }
        }
        places.push((text.len(), plain));
        let longest = self.sequences.iter().map(|sequence| sequence.matched).max();
        let (free, held) = before(&text, &places, plain - longest.unwrap_or(0));
        self.held = held;
        Found::Text(free)
    }

    /// Gives out what is held back: the text has ended, and a sequence does not go on in the next one.
    pub(super) fn release(&mut self) -> Delta {
        for sequence in &mut self.sequences {
            sequence.matched = 0;
        }
        std::mem::take(&mut self.held)
    }

    /// Takes one character; the longest sequence that it completes.
    fn next(&mut self, character: char) -> Option<String> {
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).as_bytes();
        let complete = self.sequences.iter_mut().filter_map(|sequence| {
            bytes.iter().for_each(|byte| sequence.next(*byte));
            (sequence.matched == sequence.bytes.len()).then_some(&sequence.bytes)
        });
        // All of them are looked at, so that each is counted on.
        let longest = complete.max_by_key(|bytes| bytes.len())?;
        Some(String::from_utf8_lossy(longest).into_owned())
    }
}

impl Sequence {
    fn new(sequence: &str) -> Self {
        let bytes = sequence.as_bytes().to_vec();
        let mut new = Self {
            fallback: vec![0; bytes.len()],
            bytes,
            matched: 0,
        };
        // The sequence is searched in itself, from its second byte on.
        for at in 1..new.bytes.len() {
            new.next(new.bytes[at]);
            new.fallback[at] = new.matched;
        }
        new.matched = 0;
        new
    }

    fn next(&mut self, byte: u8) {
        while self.matched > 0 && self.bytes.get(self.matched) != Some(&byte) {
            self.matched = self.fallback[self.matched - 1];
        }
        if self.bytes.get(self.matched) == Some(&byte) {
            self.matched += 1;
        }
    }
}

/// Splits a text at a byte of its plain form, at which one of its characters begins or the text ends.
fn before(text: &JsonText, places: &[(usize, usize)], plain: usize) -> (Delta, Delta) {
    let place = places.binary_search_by_key(&plain, |(_, plain)| *plain);
    let at = place.map_or(text.len(), |place| places[place].0);
    text.split_at(at).unwrap_or_default()
}

fn join(held: &JsonText, delta: Delta) -> JsonText {
    if held.is_empty() {
        return delta;
    }
    let escaped = [held.escaped(), delta.escaped()].concat();
    // Escaped texts one after the other are an escaped text.
    JsonText::from_escaped(escaped.into()).unwrap_or_default()
}
