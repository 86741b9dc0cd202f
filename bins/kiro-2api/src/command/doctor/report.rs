//! Findings, as lines and as a document.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::present::{say, with_causes};

/// What is wrong, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::command) enum Level {
    Ok,
    /// Worth knowing.
    Note,
    /// It works, and may not for long.
    Warning,
    /// It does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    about: String,
    says: String,
    remedy: Option<String>,
}

/// All that was found. Lines are printed as they come, because some take seconds.
#[derive(Debug)]
pub(in crate::command) struct Report {
    findings: Vec<Finding>,
    prints: bool,
}

impl Report {
    pub(in crate::command) fn new(prints: bool) -> Self {
        Self {
            findings: Vec::new(),
            prints,
        }
    }

    pub(in crate::command) fn ok(&mut self, about: &str, says: impl fmt::Display) {
        self.add(Level::Ok, about, says.to_string(), None);
    }

    pub(in crate::command) fn note(&mut self, about: &str, says: impl fmt::Display) {
        self.add(Level::Note, about, says.to_string(), None);
    }

    pub(in crate::command) fn warning(
        &mut self,
        about: &str,
        says: impl fmt::Display,
        remedy: &str,
    ) {
        let remedy = Some(remedy.to_owned());
        self.add(Level::Warning, about, says.to_string(), remedy);
    }

    /// An error with its causes, and what to do about it.
    pub(in crate::command) fn problem(
        &mut self,
        about: &str,
        error: &dyn std::error::Error,
        remedy: &str,
    ) {
        self.wrong(about, with_causes(error), remedy);
    }

    pub(in crate::command) fn wrong(&mut self, about: &str, says: impl fmt::Display, remedy: &str) {
        let remedy = Some(remedy.to_owned());
        self.add(Level::Problem, about, says.to_string(), remedy);
    }

    fn add(&mut self, level: Level, about: &str, says: String, remedy: Option<String>) {
        let finding = Finding {
            level,
            about: about.to_owned(),
            says,
            remedy,
        };
        if self.prints {
            say(&finding);
        }
        self.findings.push(finding);
    }

    /// Whether nothing is wrong.
    pub(in crate::command) fn is_well(&self) -> bool {
        self.count(Level::Problem) == 0
    }

    /// One line at the end.
    pub(in crate::command) fn summary(&self) -> String {
        let several = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let problems = several(self.count(Level::Problem), "problem");
        let warnings = several(self.count(Level::Warning), "warning");
        match self.is_well() {
            true => format!("\nAll right; {warnings}."),
            false => format!("\n{problems}, {warnings}."),
        }
    }

    pub(in crate::command) fn document(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ok": self.is_well(),
            "findings": self.findings,
        })
    }

    fn count(&self, level: Level) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.level == level).count()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "PROBLEM",
        };
        write!(f, "{level:<8} {:<22} {}", self.about, self.says)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:31} -> {remedy}", ""),
            None => Ok(()),
        }
    }
}
