//! What a picture is, read from its first bytes.

/// A picture format that the service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Gif,
    Webp,
}

impl Format {
    /// The format of a wire name. `jpg` is not one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Png, Self::Jpeg, Self::Gif, Self::Webp]
            .into_iter()
            .find(|f| f.name() == name)
    }

    /// The name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

/// What the first bytes of a picture tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) format: Format,
    /// Width and height in pixels, when the header could be read.
    pub(crate) size: Option<(u32, u32)>,
}

/// Recognises a picture by its signature.
pub(crate) fn inspect(bytes: &[u8]) -> Option<Picture> {
    let (format, size) = match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => (Format::Png, png(bytes)),
        [0xff, 0xd8, 0xff, ..] => (Format::Jpeg, jpeg(bytes)),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => (Format::Gif, gif(bytes)),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => (Format::Webp, webp(bytes)),
        _ => return None,
    };
    Some(Picture { format, size })
}

/// The first chunk of a PNG is `IHDR`, which begins with the size.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((be_u32(bytes, 16)?, be_u32(bytes, 20)?))
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((u32::from(le_u16(bytes, 6)?), u32::from(le_u16(bytes, 8)?)))
}

/// Walks the markers of a JPEG to the start-of-frame, which holds the size.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let (&0xff, &marker) = (bytes.get(at)?, bytes.get(at + 1)?) else {
            return None;
        };
        // C4, C8 and CC share the range of the start-of-frame markers and are something else.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let height = be_u16(bytes, at + 5)?;
            let width = be_u16(bytes, at + 7)?;
            return Some((u32::from(width), u32::from(height)));
        }
        at += 2 + usize::from(be_u16(bytes, at + 2)?.max(2));
    }
}

/// The three forms of WebP keep their size in three places.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " => {
            let width = le_u16(bytes, 26)? & 0x3fff;
            let height = le_u16(bytes, 28)? & 0x3fff;
            Some((u32::from(width), u32::from(height)))
        }
        b"VP8L" => {
            let bits = u32::from(le_u16(bytes, 21)?) | u32::from(le_u16(bytes, 23)?) << 16;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((le_u24(bytes, 24)? + 1, le_u24(bytes, 27)? + 1)),
        _ => None,
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn le_u24(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_known_by_its_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x05";
        let gif = b"GIF89a\x03\0\x05\0";
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x05\0\x03";
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x02\0\x01\0";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x02\0\0\x04\0\0";
        let cases: [(&[u8], Format); 5] = [
            (png, Format::Png),
            (gif, Format::Gif),
            (jpeg, Format::Jpeg),
            (lossless, Format::Webp),
            (extended, Format::Webp),
        ];
        for (bytes, format) in cases {
            let seen = inspect(bytes).unwrap();
            assert_eq!(
                seen,
                Picture {
                    format,
                    size: Some((3, 5))
                }
            );
        }
    }

    #[test]
    fn a_cut_header_has_a_format_and_no_size() {
        let seen = inspect(b"\x89PNG\r\n\x1a\n\0\0").unwrap();
        assert_eq!(
            seen,
            Picture {
                format: Format::Png,
                size: None
            }
        );
        assert_eq!(inspect(b"\xff\xd8\xff\xe0\0\0").unwrap().size, None);
        assert_eq!(inspect(b"plain text"), None);
    }
}
