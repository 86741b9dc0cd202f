//! Text as UTF-16, the one form in which half a character can be held.

/// UTF-16 code units.
pub(super) type Units = Vec<u16>;

/// The units of a whole JSON string; `None` when it is none.
pub(super) fn of_json(json: &str) -> Option<Units> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    let mut units = Units::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => match characters.next()? {
                'u' => {
                    let rest = characters.as_str();
                    let digits = rest.get(..4)?;
                    units.push(u16::from_str_radix(digits, 16).ok()?);
                    characters = rest[4..].chars();
                    continue;
                }
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                plain => plain,
            },
            plain => plain,
        };
        units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }
    Some(units)
}

/// The text; U+FFFD for every half.
pub(super) fn text(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}
