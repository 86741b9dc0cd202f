//! What becomes of the parts of a request, as tables. Each surface has its own, in its `verdicts.rs`; they are the tables
//! of `docs/compatibility.md`, and `/openapi.json` tells them beside the schemas. Tests try every row.

use std::fmt;

use Verdict::{Emulated, Honored, Ignored, Refused, Silent};

/// What becomes of a part of a request. `docs/compatibility.md` begins with what each of them promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Honored,
    Emulated,
    Ignored,
    /// Ignored without a word, because nothing is lost.
    Silent,
    Refused,
}

/// A table of the page, which has it below its title.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What a row is about.
    pub(crate) about: &'static str,
    pub(crate) rows: &'static [Row],
}

/// What becomes of one thing, or of several that share it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// In Markdown, several with commas between them.
    pub(crate) what: &'static str,
    pub(crate) verdict: Verdict,
    detail: &'static str,
}

pub(crate) const fn row(what: &'static str, verdict: Verdict, detail: &'static str) -> Row {
    Row {
        what,
        verdict,
        detail,
    }
}

impl Row {
    /// The things that it is about, each as `name` or `name with a condition`.
    pub(crate) fn things(&self) -> impl Iterator<Item = String> {
        self.what.split(", ").map(|thing| thing.replace('`', ""))
    }

    /// Whether it is about a member of the outermost object, or about something in it.
    #[cfg(feature = "pages")]
    pub(crate) fn is_about(&self, member: &str) -> bool {
        self.things()
            .any(|thing| thing.split(['.', ' ']).next() == Some(member))
    }

    /// A line about a member, for a page without links: `ignored. Neutral values are not named.`
    #[cfg(feature = "pages")]
    pub(crate) fn line(&self, member: &str) -> String {
        let verdict = self.verdict;
        let detail = without_links(self.detail);
        let line = match self.things().any(|thing| thing == member) {
            true => format!("**{verdict}**. {detail}"),
            false => format!("{}: **{verdict}**. {detail}", self.what),
        };
        line.trim_end().to_owned()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Honored => "honored",
            Emulated => "emulated",
            Ignored => "ignored",
            Silent => "ignored silently",
            Refused => "refused",
        })
    }
}

/// In Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} | verdict | detail |", self.about)?;
        writeln!(f, "| --- | --- | --- |")?;
        for row in self.rows {
            let Row {
                what,
                verdict,
                detail,
            } = row;
            let space = if detail.is_empty() { "" } else { " " };
            writeln!(f, "| {what} | {verdict} | {detail}{space}|")?;
        }
        Ok(())
    }
}

/// `See [Models](#models).` as `See Models.`
#[cfg(feature = "pages")]
pub(crate) fn without_links(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, (words, behind))) = rest.split_once('[').and_then(|(before, link)| {
        let (words, target) = link.split_once("](")?;
        Some((before, (words, target.split_once(')')?.1)))
    }) {
        text.push_str(before);
        text.push_str(words);
        rest = behind;
    }
    text + rest
}
