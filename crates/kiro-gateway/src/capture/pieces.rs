//! Bytes as they came: in pieces, each with its time.

use std::time::Duration;

use super::memory::Share;

/// What a piece costs besides its bytes.
const COST: usize = size_of::<(Duration, usize)>();

/// A body in pieces, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) bytes: Vec<u8>,
    /// When each piece came, and where in `bytes` it ends.
    pub(super) ends: Vec<(Duration, usize)>,
    /// Bytes that came after the bound.
    pub(super) left_out: u64,
}

impl Pieces {
    /// Adds a piece, or as much of it as there is room for: nothing is kept behind a gap.
    pub(super) fn push(&mut self, at: Duration, piece: &[u8], most: usize, share: &mut Share) {
        let room = most.saturating_sub(self.bytes.len());
        let kept = if self.left_out > 0 {
            0
        } else {
            piece.len().min(room)
        };
        let fits = share.take(kept + COST);
        let kept = if fits { kept } else { 0 };
        self.left_out += (piece.len() - kept) as u64;
        if kept > 0 || (fits && piece.is_empty()) {
            self.bytes.extend_from_slice(&piece[..kept]);
            self.ends.push((at, self.bytes.len()));
        }
    }

    /// Each piece with its time.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Duration, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |(at, end)| {
            let piece = &self.bytes[start..*end];
            start = *end;
            (*at, piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;

    #[test]
    fn nothing_is_kept_beyond_the_bound_and_what_was_left_out_is_counted() {
        let mut share = Memory::new(1 << 20).share(1 << 20);
        let mut pieces = Pieces::default();
        for (n, piece) in ["abc", "defg", "h"].into_iter().enumerate() {
            let at = Duration::from_millis(n as u64);
            pieces.push(at, piece.as_bytes(), 5, &mut share);
        }
        let kept: Vec<_> = pieces.iter().map(|(_, piece)| piece).collect();
        assert_eq!(kept, [&b"abc"[..], b"de"]);
        assert_eq!(pieces.left_out, 3);
    }

    #[test]
    fn what_finds_no_memory_is_left_out_with_all_that_follows() {
        let mut share = Memory::new(2 * COST + 4).share(1 << 20);
        let mut pieces = Pieces::default();
        for piece in ["abc", "def", "g"] {
            pieces.push(Duration::ZERO, piece.as_bytes(), 100, &mut share);
        }
        assert_eq!((&*pieces.bytes, pieces.left_out), (&b"abc"[..], 4));
    }
}
