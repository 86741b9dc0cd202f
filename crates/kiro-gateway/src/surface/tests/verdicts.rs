//! Every row of a surface's tables is tried: its verdict is what becomes of a request that has the thing, beside one that
//! has it not.

use bytes::BytesMut;
use serde_json::Value;

use super::cases::Cases;
use super::{script, show};
use crate::surface::Accepted;
use crate::surface::verdict::{Row, Table, Verdict};

/// Something that a model may answer.
const REPLY: &str = r#"start
reasoning "Hm."
signature "c2ln"
text "Hello"
stop end_turn"#;

/// Two requests with one thing between them.
pub(in crate::surface) struct Sample {
    /// As [`Row::things`] has it. There may be several samples of one.
    pub(in crate::surface) thing: String,
    /// What a refusal, or the header of what is ignored, calls it.
    pub(in crate::surface) place: &'static str,
    pub(in crate::surface) before: Value,
    pub(in crate::surface) after: Value,
}

/// What becomes of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::surface) enum Fate {
    /// The conversation, the bounds or the answer is another.
    Effect,
    /// None of them is.
    Silent,
    /// It stands in the header of what is ignored.
    Named,
    Refused,
}

impl Fate {
    /// What a verdict promises.
    pub(in crate::surface) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Honored | Verdict::Emulated => Self::Effect,
            Verdict::Silent => Self::Silent,
            Verdict::Ignored => Self::Named,
            Verdict::Refused => Self::Refused,
        }
    }
}

/// How a surface accepts, and what its answers repeat of a request although it has no effect.
pub(in crate::surface) struct Tried<'a> {
    pub(in crate::surface) cases: &'a Cases,
    pub(in crate::surface) accept: &'a dyn Fn(&Value) -> Result<Accepted, String>,
    pub(in crate::surface) echo: &'static [(&'static str, &'static str)],
}

/// A request with members of an object beside its own, or in place of them.
pub(in crate::surface) fn with(mut request: Value, members: &Value) -> Value {
    let members = members.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(members);
    request
}

impl Tried<'_> {
    /// What becomes of a sample.
    pub(in crate::surface) fn fate(&self, sample: &Sample) -> Fate {
        let Sample { thing, place, .. } = sample;
        match (self.accept)(&sample.after) {
            Err(refusal) => {
                let is_named = refusal.starts_with("400 ") && refusal.contains(place);
                assert!(is_named, "{thing}: {refusal}");
                Fate::Refused
            }
            Ok(accepted) if !accepted.ignored.is_empty() => {
                let mut ignored = accepted.ignored.iter();
                let is_named = ignored.all(|ignored| ignored.starts_with(place));
                assert!(is_named, "{thing}: {:?}", accepted.ignored);
                Fate::Named
            }
            Ok(accepted) => {
                let before = (self.accept)(&sample.before).expect(thing);
                match self.effects(accepted) == self.effects(before) {
                    true => Fate::Silent,
                    false => Fate::Effect,
                }
            }
        }
    }

    /// Everything that a request has an effect on.
    fn effects(&self, mut accepted: Accepted) -> String {
        let mut response = BytesMut::new();
        script::play(
            REPLY,
            &accepted.bounds,
            &mut *accepted.encoder,
            &mut response,
        );
        let response = self
            .cases
            .with_fixed_ids(std::str::from_utf8(&response).unwrap());
        let echo = self.echo.iter();
        let response = echo.fold(response, |response, (repeated, default)| {
            response.replace(repeated, default)
        });
        let conversation = show::conversation(&accepted.conversation);
        let wanted: Vec<String> = accepted
            .wanted
            .iter()
            .map(|wanted| format!("{} {}", wanted.place, wanted.url))
            .collect();
        format!(
            "{conversation}{wanted:?}{:?}{:?}{response}",
            accepted.bounds, accepted.search
        )
    }

    /// Fails unless every row of a table is what the code does, and unless a row that is missing, or that says something
    /// else, would be noticed.
    pub(in crate::surface) fn check(&self, table: &Table, samples: &[Sample]) {
        let fates = samples
            .iter()
            .map(|sample| (&*sample.thing, self.fate(sample)));
        let fates: Vec<_> = fates.collect();
        let wrong = problems(table.rows, &fates);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", table.title);
        for (at, row) in table.rows.iter().enumerate() {
            let mut rows = table.rows.to_vec();
            rows.remove(at);
            assert!(!problems(&rows, &fates).is_empty(), "without {}", row.what);
            for other in [
                Verdict::Honored,
                Verdict::Silent,
                Verdict::Ignored,
                Verdict::Refused,
            ] {
                let mut rows = table.rows.to_vec();
                rows[at].verdict = other;
                let is_noticed = !problems(&rows, &fates).is_empty();
                let is_wrong = Fate::of(other) != Fate::of(row.verdict);
                assert_eq!(is_noticed, is_wrong, "{other}: {}", row.what);
            }
        }
    }
}

/// What is wrong with the rows of a table.
fn problems(rows: &[Row], fates: &[(&str, Fate)]) -> Vec<String> {
    let mut problems = Vec::new();
    for &(thing, fate) in fates {
        let row = rows
            .iter()
            .find(|row| row.things().any(|known| known == thing));
        match row {
            None => problems.push(format!("`{thing}` has no row")),
            Some(row) if Fate::of(row.verdict) != fate => {
                problems.push(format!("`{thing}` is {}, and it is {fate:?}", row.verdict));
            }
            Some(_) => {}
        }
    }
    let untried = rows.iter().flat_map(Row::things);
    let untried = untried.filter(|thing| fates.iter().all(|(tried, _)| tried != thing));
    problems.extend(untried.map(|thing| format!("nobody tries `{thing}`")));
    problems
}
