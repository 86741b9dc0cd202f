//! Whether a piece of code on a page would be taken by what it is for.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::commands::{Ours, is_chore};
use super::page::Page;
use super::shell;
use super::snippets::{Kind, Snippet, snippets};
use crate::Failure;
use crate::process;
use crate::stage::Build;
use crate::workspace::Workspace;

/// Pages about the configuration of other people's programs.
const OF_OTHERS: &str = "docs/clients/";

/// Asks the program, bash and Python.
pub(super) struct Judge {
    program: PathBuf,
    /// An empty one, so that no file of the person who runs this is read.
    folder: PathBuf,
}

/// What was found on a page.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) n_snippets: usize,
    pub(super) wrong: Vec<String>,
}

impl Judge {
    /// With the program as it was built.
    ///
    /// # Errors
    ///
    /// Its folder cannot be made.
    pub(super) fn new(workspace: &Workspace) -> Result<Self, Failure> {
        let folder = workspace.target.join("book-blocks");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let program = Build::Debug.folder(workspace).join("kiro-2api");
        Ok(Self { program, folder })
    }

    /// # Errors
    ///
    /// One of those who are asked cannot be started.
    pub(super) fn judge(&self, page: &Page) -> Result<Found, Failure> {
        let snippets = snippets(&page.text);
        let mut wrong = Vec::new();
        for snippet in &snippets {
            if let Some(problem) = self.problem(page, snippet)? {
                wrong.push(format!("{}:{}: {problem}", page.path, snippet.line));
            }
        }
        Ok(Found {
            n_snippets: snippets.len(),
            wrong,
        })
    }

    /// The pieces of a page in which nothing wrong is found.
    ///
    /// # Errors
    ///
    /// As [`judge`](Self::judge).
    pub(super) fn not_seen(&self, page: &Page) -> Result<Vec<String>, Failure> {
        let mut not_seen = Vec::new();
        for snippet in snippets(&page.text) {
            if self.problem(page, &snippet)?.is_none() {
                not_seen.push(format!("{}:{}: {}", page.path, snippet.line, snippet.text));
            }
        }
        Ok(not_seen)
    }

    fn problem(&self, page: &Page, snippet: &Snippet) -> Result<Option<String>, Failure> {
        let text = &snippet.text;
        let Kind::Block(language) = &snippet.kind else {
            return self.of_commands(text);
        };
        match &**language {
            "sh" => self.of_shell(text),
            "console" => self.of_shell(&shell::typed(text)),
            "toml" if page.path.starts_with(OF_OTHERS) => self.of_python(TOML, text),
            "toml" => self.of_configuration(text),
            "json" => Ok(serde_json::from_str::<Value>(text)
                .err()
                .map(|error| error.to_string())),
            "python" => self.of_python(PYTHON, text),
            // Run by rustdoc; what clients are told in JavaScript and YAML, their own tests do; the rest is for the eye.
            "rust" | "js" | "yaml" | "ini" | "text" => Ok(None),
            "" => Ok(Some("a block names its language".to_owned())),
            other => Ok(Some(format!("`{other}` is no language that is checked"))),
        }
    }

    fn of_shell(&self, text: &str) -> Result<Option<String>, Failure> {
        let mut bash = Command::new("bash");
        match told(&self.ask(bash.arg("-n"), text)?) {
            None => self.of_commands(text),
            problem => Ok(problem),
        }
    }

    /// Every command of ours in it.
    fn of_commands(&self, text: &str) -> Result<Option<String>, Failure> {
        for mut words in shell::commands(text) {
            // Stands for whatever may follow.
            words.retain(|word| word != "…");
            match Ours::of(&words) {
                Some(Ours::Chore(arguments)) if !is_chore(arguments) => {
                    return Ok(Some(format!("there is no chore `{}`", arguments.join(" "))));
                }
                Some(Ours::Program(arguments)) => {
                    // It reads them in their order, and does nothing but to help. Behind `--` all is text.
                    let options = arguments.iter().take_while(|word| *word != "--");
                    let mut help = self.program();
                    help.args(options).arg("--help");
                    if let Some(problem) = told(&self.ask(&mut help, "")?) {
                        return Ok(Some(problem));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The program takes it as its configuration. Files that it names need not be there.
    fn of_configuration(&self, text: &str) -> Result<Option<String>, Failure> {
        fs::write(self.folder.join("page.toml"), text)?;
        let mut check = self.program();
        check.args(["check", "--json", "--config", "page.toml"]);
        check.env("PROXY_API_KEY", "0123456789abcdef0123456789abcdef");
        let output = self.ask(&mut check, "")?;
        let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
            return Ok(told(&output).or(Some("`check` says nothing of it".to_owned())));
        };
        let problem = report["problem"].as_str();
        let problem = problem.filter(|problem| !problem.contains(" cannot be read;"));
        Ok(problem.map(str::to_owned))
    }

    fn of_python(&self, script: &str, text: &str) -> Result<Option<String>, Failure> {
        let output = self.ask(Command::new("python3").args(["-c", script]), text)?;
        Ok(told(&output))
    }

    fn program(&self) -> Command {
        let mut program = Command::new(&self.program);
        program.env_clear().env("HOME", &self.folder);
        program
    }

    /// What a command says to `input`.
    fn ask(&self, command: &mut Command, input: &str) -> Result<Output, Failure> {
        let command = command.current_dir(&self.folder).stdin(Stdio::piped());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|source| process::not_started(command, source))?;
        if let Some(mut pipe) = child.stdin.take() {
            // Who does not read it says why.
            let _ = pipe.write_all(input.as_bytes());
        }
        Ok(child.wait_with_output()?)
    }
}

const TOML: &str = "import sys, tomllib; tomllib.load(sys.stdin.buffer)";

const PYTHON: &str = "import ast, sys; ast.parse(sys.stdin.buffer.read())";

/// Why a command failed, in its own words: the line that says it is the first of ours and the last of Python.
fn told(output: &Output) -> Option<String> {
    if output.status.success() {
        return None;
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let mut lines = words.lines().filter(|line| !line.is_empty());
    let line = match words.starts_with("Traceback") || words.starts_with("  File") {
        true => lines.next_back(),
        false => lines.next(),
    };
    Some(line.map_or_else(|| output.status.to_string(), str::to_owned))
}
