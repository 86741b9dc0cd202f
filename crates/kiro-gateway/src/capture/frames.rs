//! Frames with something written over: their checksums follow, so that they are still read.

/// Bytes before the headers of a frame: two lengths and their checksum.
const PRELUDE: usize = 12;

/// Gives each frame that was whole before, and was changed, the checksum of what it holds now. Damaged frames stay
/// damaged.
pub(super) fn seal(before: &[u8], after: &mut [u8]) {
    let mut start = 0;
    while let Some(length) = length(&before[start..]) {
        let (end, sum) = (start + length, start + length - 4);
        let was_whole = crc32fast::hash(&before[start..sum]).to_be_bytes() == before[sum..end];
        if was_whole && before[start..end] != after[start..end] {
            let new = crc32fast::hash(&after[start..sum]).to_be_bytes();
            after[sum..end].copy_from_slice(&new);
        }
        start = end;
    }
}

/// The length of the frame that bytes begin with, if all of it is there and its prelude is sound.
fn length(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let length = usize::try_from(number(0)?).ok()?;
    let is_sound = crc32fast::hash(bytes.get(..8)?) == number(8)?;
    let is_there = (PRELUDE + 4..=bytes.len()).contains(&length);
    (is_sound && is_there).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let length = (PRELUDE + payload.len() + 4) as u32;
        let mut frame = [length.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame.extend(payload);
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame
    }

    #[test]
    fn changed_frames_are_whole_again_and_damaged_ones_stay_damaged() {
        let mut damaged = frame(b"a secret");
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        let before = [frame(b"a secret"), frame(b"other"), damaged.clone()].concat();
        let cover = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("secret");
        let mut after = before.clone();
        for at in 0..after.len() - 6 {
            if &before[at..at + 6] == b"secret" {
                after[at..at + 6].fill(b'*');
            }
        }
        seal(&before, &mut after);
        let whole = [frame(b"a ******"), frame(b"other")].concat();
        assert_eq!(after[..whole.len()], whole);
        let rest = &after[whole.len()..];
        assert_eq!(
            rest[last..],
            damaged[last..],
            "its checksum is the wrong one"
        );
        assert!(!cover(&after));
    }

    #[test]
    fn bytes_that_are_no_frames_are_left_alone() {
        for bytes in [&b""[..], b"{\"message\": \"no\"}", &[0xff; 40], &[0; 16]] {
            let mut after = bytes.to_vec();
            seal(bytes, &mut after);
            assert_eq!(after, bytes);
        }
    }
}
