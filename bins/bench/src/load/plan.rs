//! What the service is to answer. It stands in the question, so that it comes through every server.

use std::time::Duration;

use memchr::memmem;

/// What begins the text of an event. Four of them, so that they are nowhere by chance.
pub(super) const MARK: &[u8] = b"@@@@";

const NUMBER_DIGITS: usize = 8;
const STAMP_DIGITS: usize = 16;

/// An answer: so many events, each with so many bytes of text.
///
/// ```text
/// @@@@00000042........            at full speed, 20 bytes
/// @@@@000000420000123456789012    by a timetable: the nanosecond in which it was due
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) events: usize,
    pub(super) bytes: usize,
    /// Between two events; zero is at full speed.
    pub(super) period: Duration,
    /// Before the answer begins.
    pub(super) delay: Duration,
    /// Whether the server tells the whole text again at the end, as Responses do. The service knows nothing of it.
    pub(super) told_again: bool,
}

const BEGIN: &[u8] = b"Measure events=";

impl Plan {
    /// At full speed.
    pub(super) const fn burst(events: usize, bytes: usize) -> Self {
        Self {
            events,
            bytes,
            period: Duration::ZERO,
            delay: Duration::ZERO,
            told_again: false,
        }
    }

    /// One event after the other, by a timetable of whole microseconds, which is what a question can say.
    pub(super) const fn paced(events: usize, period: Duration) -> Self {
        assert!(period.subsec_nanos().is_multiple_of(1_000));
        Self {
            events,
            bytes: MARK.len() + NUMBER_DIGITS + STAMP_DIGITS,
            period,
            delay: Duration::ZERO,
            told_again: false,
        }
    }

    pub(super) fn is_paced(&self) -> bool {
        !self.period.is_zero()
    }

    /// The question that gets it.
    pub(super) fn question(&self) -> String {
        format!(
            "Measure events={} bytes={} period={} delay={}.",
            self.events,
            self.bytes,
            self.period.as_micros(),
            self.delay.as_micros()
        )
    }

    /// The plan of the last question in a request.
    pub(super) fn find(request: &[u8]) -> Option<Self> {
        let at = memmem::rfind(request, BEGIN)?;
        let rest = &request[at..];
        let rest = &rest[..memchr::memchr(b'.', rest)?];
        let words = std::str::from_utf8(rest).ok()?;
        let mut numbers = words
            .split(' ')
            .filter_map(|word| word.split_once('='))
            .map(|(_, number)| number.parse::<u64>());
        let mut number = || numbers.next()?.ok();
        Some(Self {
            events: usize::try_from(number()?).ok()?,
            bytes: usize::try_from(number()?).ok()?,
            period: Duration::from_micros(number()?),
            delay: Duration::from_micros(number()?),
            told_again: false,
        })
    }

    /// The text of one event, which is due at `due`.
    pub(super) fn text(&self, event: usize, due: u64) -> String {
        let mut text = format!("@@@@{event:08}");
        if self.is_paced() {
            text += &format!("{due:016}");
        }
        text.extend(std::iter::repeat_n(
            '.',
            self.bytes.saturating_sub(text.len()),
        ));
        text
    }
}

/// Reads the texts of an answer out of whatever they are wrapped in, and holds them against the plan.
#[derive(Debug)]
pub(super) struct Reader {
    plan: Plan,
    next: usize,
    is_again: bool,
    first_due: u64,
    /// What may be the beginning of a text.
    rest: Vec<u8>,
}

/// What was read is not what was to come.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("event {event}: `{found}`")]
pub(super) struct Wrong {
    event: usize,
    found: String,
}

impl Reader {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            next: 0,
            is_again: false,
            first_due: 0,
            rest: Vec::new(),
        }
    }

    /// Takes bytes that arrived at `now`; says of each event how long ago it was due. At full speed none is.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        now: u64,
        mut transit: impl FnMut(u64),
    ) -> Result<(), Wrong> {
        self.rest.extend_from_slice(bytes);
        let length = self.plan.bytes;
        let mut read = 0;
        while let Some(at) = memmem::find(&self.rest[read..], MARK) {
            let start = read + at;
            let Some(text) = self.rest.get(start..start + length) else {
                read = start;
                break;
            };
            let due = self.plan.is_paced().then(|| stamp(text));
            if self.plan.told_again && self.next == self.plan.events {
                (self.next, self.is_again) = (0, true);
            }
            if self.next == 0 && !self.is_again {
                self.first_due = due.unwrap_or_default();
            }
            let period = self.plan.period.as_nanos() as u64;
            let expected = self.first_due + period * self.next as u64;
            if self.next >= self.plan.events
                || text != self.plan.text(self.next, expected).as_bytes()
            {
                return Err(Wrong {
                    event: self.next,
                    found: String::from_utf8_lossy(text).into_owned(),
                });
            }
            if due.is_some() && !self.is_again {
                transit(now.saturating_sub(expected));
            }
            self.next += 1;
            read = start + length;
        }
        // A mark may be cut in its middle.
        let kept = self.rest.len().saturating_sub(MARK.len() - 1).max(read);
        let from = if self.rest[read..].starts_with(MARK) {
            read
        } else {
            kept
        };
        self.rest.drain(..from);
        Ok(())
    }

    /// Events that were read.
    pub(super) fn events(&self) -> usize {
        self.next
    }

    /// Whether all of them were.
    pub(super) fn is_whole(&self) -> bool {
        self.next == self.plan.events
    }
}

fn stamp(text: &[u8]) -> u64 {
    let digits = &text[MARK.len() + NUMBER_DIGITS..][..STAMP_DIGITS];
    digits.iter().fold(0, |stamp, digit| {
        stamp * 10 + u64::from(digit.wrapping_sub(b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACED: Plan = Plan::paced(3, Duration::from_millis(2));

    fn answer(plan: Plan) -> Vec<u8> {
        let texts =
            (0..plan.events).map(|event| plan.text(event, 5_000 + 2_000_000 * event as u64));
        texts
            .map(|text| format!("\u{1}{{\"content\":\"{text}\"}}\n"))
            .collect::<String>()
            .into()
    }

    #[test]
    fn a_question_says_what_is_to_be_answered() {
        for plan in [PACED, Plan::burst(100, 20)] {
            let earlier = Plan::burst(1, 12).question();
            let request = format!("{{\"text\":\"{earlier} {}\"}}", plan.question());
            assert_eq!(Plan::find(request.as_bytes()), Some(plan));
        }
        assert_eq!(Plan::find(b"Measure events=1"), None);
    }

    #[test]
    fn texts_are_found_wherever_they_are_cut() {
        for plan in [PACED, Plan::burst(3, 20)] {
            let answer = answer(plan);
            for cut in 0..answer.len() {
                let mut reader = Reader::new(plan);
                let mut transits = Vec::new();
                for part in [&answer[..cut], &answer[cut..]] {
                    reader
                        .read(part, 4_005_100, |transit| transits.push(transit))
                        .unwrap();
                }
                assert!(reader.is_whole(), "{cut}");
                let expected: &[u64] = if plan.is_paced() {
                    &[4_000_100, 2_000_100, 100]
                } else {
                    &[]
                };
                assert_eq!(transits, expected);
            }
        }
    }

    #[test]
    fn a_text_may_be_told_again_whole_where_that_is_known() {
        let plan = Plan {
            told_again: true,
            ..PACED
        };
        let whole = answer(plan);
        let mut reader = Reader::new(plan);
        let mut transits = Vec::new();
        let mut read = |bytes: &[u8]| {
            let read = reader.read(bytes, 9_000_000, |transit| transits.push(transit));
            read.map(|()| (reader.is_whole(), transits.len()))
        };
        assert_eq!(read(&whole), Ok((true, 3)));
        assert_eq!(read(&whole), Ok((true, 3)));
        assert_eq!(read(&whole[..whole.len() / 2]), Ok((false, 3)));
        assert!(read(&whole).is_err());
    }

    #[test]
    fn what_is_lost_doubled_changed_or_too_much_is_found() {
        let plan = Plan::burst(3, 20);
        let whole = String::from_utf8(answer(plan)).unwrap();
        let read = |text: &str| {
            let mut reader = Reader::new(plan);
            reader
                .read(text.as_bytes(), 0, drop)
                .map(|()| reader.is_whole())
        };
        assert_eq!(read(&whole), Ok(true));
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        assert_eq!(read(&lines[..2].concat()), Ok(false));
        for wrong in [
            [lines[0], lines[2]].concat(),
            [lines[0], lines[0], lines[1], lines[2]].concat(),
            [lines[1], lines[0], lines[2]].concat(),
            whole.replacen("........", ".......,", 1),
            whole.clone() + lines[2],
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
