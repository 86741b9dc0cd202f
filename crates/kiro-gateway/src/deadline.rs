//! How long one exchange waits: what is configured for the model, what the model usually needs, and what the
//! client says.

use std::time::Duration;

use http::HeaderMap;

use crate::error::Error;
use crate::options::Timeouts;
use crate::pace::{Pace, Paces};

/// What OpenAI's SDKs announce, in seconds: the one for Python its time-out for reading, the one for Node
/// the time-out that its user has set (measured, November 2026). Other SDKs write words into the second.
const ANNOUNCEMENTS: [&str; 2] = ["x-stainless-read-timeout", "x-stainless-timeout"];

/// For the error to arrive before the client gives up.
const MARGIN: Duration = Duration::from_secs(1);

/// `first_event=30, gap=20.5, total=60`, in seconds, each optional: shorter limits for one request.
const OWN_LIMITS: &str = "x-gateway-timeouts";

/// How long one exchange waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// From sending a request to the first event of its reply.
    pub(crate) first_event: Duration,
    /// From one event to the next.
    pub(crate) gap: Duration,
    /// For the whole answer, if there is a limit.
    pub(crate) total: Option<Duration>,
}

/// What a client asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    first_event: Option<Duration>,
    gap: Option<Duration>,
    total: Option<Duration>,
    /// What its SDK announces to wait for an answer that is not streamed.
    announced: Option<Duration>,
}

impl Deadlines {
    /// The limits of a request for a model. A client may lower them and never raise them.
    pub(crate) fn new(
        timeouts: &Timeouts,
        paces: &Paces,
        model: &str,
        is_stream: bool,
        wish: &Wish,
    ) -> Self {
        let pace = paces.of(model, ceiling(timeouts, model));
        let lower =
            |limit: Duration, wish: Option<Duration>| wish.map_or(limit, |own| limit.min(own));
        let total = match is_stream {
            true => wish.total,
            false => {
                let total = timeouts.total.mul_f64(timeouts.multiplier(model));
                Some(lower(lower(total, wish.announced), wish.total))
            }
        };
        Self {
            first_event: lower(pace.first_event, wish.first_event),
            gap: lower(pace.gap, wish.gap),
            total,
        }
    }
}

/// The longest waits for a model.
pub(crate) fn ceiling(timeouts: &Timeouts, model: &str) -> Pace {
    let multiplier = timeouts.multiplier(model);
    Pace {
        first_event: timeouts.first_event.mul_f64(multiplier),
        gap: timeouts.gap.mul_f64(multiplier),
    }
}

impl Wish {
    /// Reads the headers of a request.
    ///
    /// # Errors
    ///
    /// When our own header is not what it should be.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Error> {
        let mut wish = Self {
            announced: announced(headers),
            ..Self::default()
        };
        for value in headers.get_all(OWN_LIMITS) {
            let text = value.to_str().unwrap_or_default();
            for part in text.split(',').filter(|part| !part.trim().is_empty()) {
                wish.set(part).ok_or_else(not_a_limit)?;
            }
        }
        Ok(wish)
    }

    fn set(&mut self, part: &str) -> Option<()> {
        let (name, seconds) = part.split_once('=')?;
        let limit = match name.trim() {
            "first_event" => &mut self.first_event,
            "gap" => &mut self.gap,
            "total" => &mut self.total,
            _ => return None,
        };
        *limit = Some(positive(seconds)?);
        Some(())
    }
}

/// To go on for longer than a client waits would be paid for and read by nobody.
fn announced(headers: &HeaderMap) -> Option<Duration> {
    let texts = ANNOUNCEMENTS
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok());
    let time = texts.filter_map(positive).next()?;
    Some(time.saturating_sub(MARGIN).max(time / 2))
}

fn positive(seconds: &str) -> Option<Duration> {
    let seconds: f64 = seconds.trim().parse().ok()?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (!time.is_zero()).then_some(time)
}

fn not_a_limit() -> Error {
    let message = format!(
        "The header '{OWN_LIMITS}' is a list of limits in seconds, such as `first_event=30, gap=20, total=60`."
    );
    Error::invalid(OWN_LIMITS, Some("invalid_value"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_static(value))
        });
        lines.collect()
    }

    fn deadlines(
        model: &str,
        is_stream: bool,
        lines: &[(&'static str, &'static str)],
    ) -> Deadlines {
        let timeouts = Timeouts::default();
        let wish = Wish::read(&headers(lines)).unwrap();
        Deadlines::new(&timeouts, &Paces::new(&timeouts), model, is_stream, &wish)
    }

    #[test]
    fn a_client_is_answered_before_it_gives_up() {
        for (name, announced, seconds) in [
            ("x-stainless-read-timeout", "600", 599.0),
            ("x-stainless-read-timeout", "600.0", 599.0),
            ("x-stainless-timeout", "30", 29.0),
            ("x-stainless-timeout", "1", 0.5),
            ("x-stainless-timeout", "3600", 900.0),
            ("x-stainless-timeout", "NOT_GIVEN", 900.0),
            ("x-stainless-timeout", "0", 900.0),
            ("x-stainless-timeout", "-1", 900.0),
            ("x-stainless-timeout", "inf", 900.0),
            ("x-stainless-timeout", "NaN", 900.0),
            ("x-stainless-timeout", "1e300", 900.0),
            ("x-stainless-retry-count", "1", 900.0),
        ] {
            let total = deadlines("m", false, &[(name, announced)]).total.unwrap();
            assert_eq!(total.as_secs_f64(), seconds, "{name}: {announced}");
            // Streams are read as they come.
            assert_eq!(deadlines("m", true, &[(name, announced)]).total, None);
        }
    }

    #[test]
    fn a_request_lowers_its_limits_and_never_raises_them() {
        let own = |value| deadlines("m", true, &[("x-gateway-timeouts", value)]);
        let seconds = Duration::from_secs_f64;
        assert_eq!(
            own("first_event=30, gap=2.5,total=60"),
            Deadlines {
                first_event: seconds(30.0),
                gap: seconds(2.5),
                total: Some(seconds(60.0)),
            }
        );
        let raised = own("first_event=1000, gap=1000");
        assert_eq!(raised, deadlines("m", true, &[]));
        for wrong in [
            "30", "first=1", "gap=", "gap=0", "gap=-1", "gap=soon", "gap=inf",
        ] {
            let lines = [("x-gateway-timeouts", wrong)];
            let error = Wish::read(&headers(&lines)).unwrap_err();
            assert_eq!(error.param(), Some("x-gateway-timeouts"), "{wrong}");
        }
    }

    #[test]
    fn slow_families_are_given_more_time() {
        let usual = deadlines("claude-sonnet-4.5", false, &[]);
        let slow = deadlines("claude-opus-4.5", false, &[]);
        assert_eq!(slow.first_event, usual.first_event * 3);
        assert_eq!(slow.gap, usual.gap * 3);
        assert_eq!(slow.total.unwrap(), usual.total.unwrap() * 3);
    }
}
