//! Cutting a stream into segments.

use bytes::Bytes;

/// Lengths of segments, one a byte, used again from the first when they are used up.
///
/// A byte up to 200 is the length itself, so 0 is an empty segment; above that it counts in steps of 64
/// bytes. Without any length the stream stays whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cuts<'a>(pub(crate) &'a [u8]);

impl Cuts<'_> {
    pub(crate) fn apply(&self, stream: &Bytes) -> Vec<Bytes> {
        if self.0.iter().all(|length| *length == 0) {
            return vec![stream.clone()];
        }
        let mut rest = stream.clone();
        let mut lengths = self.0.iter().cycle();
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let length = match usize::from(*lengths.next().unwrap_or(&1)) {
                length @ 0..=200 => length,
                steps => (steps - 200) * 64,
            };
            // Copied, as segments from a network do not lie beside each other either.
            let segment = rest.split_to(length.min(rest.len()));
            segments.push(Bytes::copy_from_slice(&segment));
        }
        segments
    }
}

/// Every byte alone, in small streams; larger ones would only take longer.
pub(crate) fn byte_by_byte(stream: &Bytes) -> Option<Vec<Bytes>> {
    let bytes = || (0..stream.len()).map(|at| stream.slice(at..=at));
    (stream.len() <= 2_048).then(|| bytes().collect())
}
