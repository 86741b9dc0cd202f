//! A script with its keys and arguments, and how keys are made.

use std::fmt::Display;

use jiff::civil::Date;
use redis::Cmd;

/// A script. Sent as text: a hash would need a second way for a server that does not know it yet.
pub(super) struct Script {
    text: &'static str,
    keys: Vec<String>,
    arguments: Vec<String>,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            text,
            keys: Vec::new(),
            arguments: Vec::new(),
        }
    }

    pub(super) fn key(&mut self, key: String) {
        self.keys.push(key);
    }

    pub(super) fn arg(&mut self, argument: impl Display) {
        self.arguments.push(argument.to_string());
    }

    pub(super) fn command(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(self.text).arg(self.keys.len());
        command.arg(&self.keys).arg(&self.arguments);
        command
    }
}

/// The month that a day is in, as keys name it: `2026-11`.
pub(super) fn month_of(date: Date) -> String {
    format!("{:04}-{:02}", date.year(), date.month())
}
