//! What the answers come to.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::load::{Outcome, Timing};
use crate::command::Failure;

pub(super) struct Figures<'a> {
    outcome: &'a Outcome,
    /// In microseconds.
    first: Histogram<u64>,
    total: Histogram<u64>,
}

/// Three digits are more than such a measurement is worth.
const DIGITS: u8 = 3;

const PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 100.0];

/// Lines of the histogram, at most.
const LINES: usize = 12;

/// Characters of its longest bar.
const BAR: u64 = 40;

impl<'a> Figures<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Result<Self, Failure> {
        Ok(Self {
            outcome,
            first: histogram(outcome, |timing| timing.first)?,
            total: histogram(outcome, |timing| timing.total)?,
        })
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "requests": self.n_requests(),
            "answers": self.outcome.answers.len(),
            "errors": self.outcome.errors,
            "seconds": self.outcome.took.as_secs_f64(),
            "requests_per_second": self.per_second(),
            "completion_tokens": self.tokens(),
            "first_token_ms": percentiles(&self.first),
            "total_ms": percentiles(&self.total),
        })
    }

    fn n_requests(&self) -> u64 {
        self.outcome.answers.len() as u64 + self.outcome.errors.values().sum::<u64>()
    }

    fn tokens(&self) -> u64 {
        let answers = self.outcome.answers.iter();
        answers.map(|timing| timing.tokens).sum()
    }

    fn per_second(&self) -> f64 {
        self.n_requests() as f64 / self.outcome.took.as_secs_f64().max(f64::EPSILON)
    }
}

fn histogram(
    outcome: &Outcome,
    of: impl Fn(&Timing) -> Duration,
) -> Result<Histogram<u64>, Failure> {
    let mut histogram = Histogram::new(DIGITS)?;
    for timing in &outcome.answers {
        let microseconds = u64::try_from(of(timing).as_micros()).unwrap_or(u64::MAX);
        histogram.record(microseconds)?;
    }
    Ok(histogram)
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    let each = PERCENTILES.map(|percent| {
        let name = match percent {
            100.0 => "max".to_owned(),
            _ => format!("p{percent}"),
        };
        let value = histogram.value_at_quantile(percent / 100.0);
        (name, Value::from(milliseconds(value)))
    });
    Value::Object(each.into_iter().collect())
}

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} requests in {:.2} s, {:.1} each second; {} answers with {} tokens",
            self.n_requests(),
            self.outcome.took.as_secs_f64(),
            self.per_second(),
            self.outcome.answers.len(),
            self.tokens()
        )?;
        for (why, n) in &self.outcome.errors {
            writeln!(f, "failed: {n} times {why}")?;
        }
        if self.total.is_empty() {
            return Ok(());
        }
        write!(f, "\n{:14}", "milliseconds")?;
        for percent in PERCENTILES {
            write!(f, "{:>10}", format!("{percent} %"))?;
        }
        for (name, histogram) in [("first token", &self.first), ("whole answer", &self.total)] {
            write!(f, "\n{name:14}")?;
            for percent in PERCENTILES {
                let value = histogram.value_at_quantile(percent / 100.0);
                write!(f, "{:>10.1}", milliseconds(value))?;
            }
        }
        write!(
            f,
            "\n\nwhole answer, milliseconds and how many took up to that:"
        )?;
        bars(f, &self.total)
    }
}

fn bars(f: &mut fmt::Formatter<'_>, histogram: &Histogram<u64>) -> fmt::Result {
    let span = histogram.max() - histogram.min();
    let step = (span / LINES as u64).max(1);
    // The first step ends above the shortest, and each is as wide.
    let counts: Vec<(u64, u64)> = (0..=LINES as u64)
        .map(|n| {
            let from = histogram.min() + n * step;
            let to = from + step - 1;
            (to, histogram.count_between(from, to))
        })
        .filter(|(to, _)| to - (step - 1) <= histogram.max())
        .collect();
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for (to, n) in counts {
        let bar = "#".repeat(usize::try_from((n * BAR).div_ceil(most)).unwrap_or(0));
        write!(f, "\n{:>10.1} {n:>7} {bar}", milliseconds(to))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_count_good_and_bad_and_draw_what_there_is() {
        let mut outcome = Outcome {
            took: Duration::from_secs(2),
            ..Outcome::default()
        };
        for n in 1..=100 {
            outcome.answers.push(Timing {
                first: Duration::from_millis(n),
                total: Duration::from_millis(2 * n),
                tokens: 3,
            });
        }
        outcome.errors.insert("status 429".into(), 4);
        let figures = Figures::of(&outcome).unwrap();
        let document = figures.document();
        assert_eq!(document["requests"], 104);
        assert_eq!(document["errors"]["status 429"], 4);
        assert_eq!(document["requests_per_second"], 52.0);
        assert_eq!(document["completion_tokens"], 300);
        let p50 = document["total_ms"]["p50"].as_f64().unwrap();
        assert!((p50 - 100.0).abs() < 0.2, "{p50}");
        let text = figures.to_string();
        assert!(text.contains("failed: 4 times status 429"), "{text}");
        assert!(text.contains('#') && text.contains("99 %"), "{text}");
    }

    #[test]
    fn nothing_that_was_answered_is_nothing_to_draw() {
        let outcome = Outcome::default();
        let text = Figures::of(&outcome).unwrap().to_string();
        assert!(text.starts_with("0 requests"), "{text}");
    }
}
