//! The program as people run it, beside bare hyper and nginx. Built and run as for [`protocol`](super::protocol).

use super::measuring_program;
use crate::Failure;
use crate::process;
use crate::stage::Build;
use crate::workspace::Workspace;

/// Where the table and the plots of a run are kept.
const DOCUMENT: &str = "docs/performance.md";

/// How to measure.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// Length of one turn.
    pub(crate) seconds: Option<u64>,
    /// Whether to print one JSON object a line.
    pub(crate) json: bool,
    /// Whether to put what was found into `docs/performance.md`.
    pub(crate) write: bool,
    /// Parts by name; all when there is none.
    pub(crate) parts: Vec<String>,
}

/// What can be measured alone.
const PARTS: [&str; 6] = ["plain", "tls", "memory", "many", "growth", "start"];

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--json" => options.json = true,
                "--write" => options.write = true,
                "--seconds" => {
                    let seconds = arguments.next()?.parse().ok().filter(|it| *it > 0)?;
                    options.seconds = Some(seconds);
                }
                part if PARTS.contains(&part) => options.parts.push(part.to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Builds the program and what measures it, and measures.
///
/// # Errors
///
/// Something does not build, or the measurement failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    Build::Release.make(workspace, &["--bin", "kiro-2api"])?;
    let mut bench = measuring_program(workspace);
    bench.arg("load");
    bench.arg(Build::Release.folder(workspace).join("kiro-2api"));
    bench.arg(workspace.target.join("bench"));
    if let Some(seconds) = options.seconds {
        bench.args(["--seconds", &seconds.to_string()]);
    }
    bench.args(options.json.then_some("--json"));
    if options.write {
        bench.args(["--write", DOCUMENT]);
    }
    bench.args(&options.parts);
    Ok(process::run(&mut bench)?)
}
