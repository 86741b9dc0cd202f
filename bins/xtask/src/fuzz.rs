//! Fuzzing on the stable toolchain.
//!
//! libFuzzer needs to see which code an input reaches. `cargo fuzz` gets that from `-Zsanitizer`, which
//! only a nightly compiler has; but the coverage is a pass of LLVM, and stable compilers take passes and
//! their options as `-C` flags. So the targets are built by plain `cargo build`, without a nightly compiler
//! and without installing anything. What is missing is AddressSanitizer, which finds nothing in code that
//! forbids `unsafe`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// The package of the targets, which is a workspace of its own.
const PACKAGE: &str = "crates/kiro-protocol/fuzz";

/// The flags by which `cargo fuzz` asks for coverage.
const RUSTFLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    // Every edge, a counter each, a table of their places, and the operands of comparisons.
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Two conditions are two edges.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// The longest that one input may take, in seconds; none needs a tenth of one.
const TIMEOUT_SECONDS: u32 = 10;

/// The most memory in MiB. The largest frame has 24; the rest is libFuzzer's.
const MEMORY_MIB: u32 = 1_024;

/// How long to fuzz what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Seconds for each target.
    pub(crate) seconds: u32,
    /// The target; all of them when there is none.
    pub(crate) target: Option<String>,
}

impl Options {
    const DEFAULT_SECONDS: u32 = 60;

    /// Reads `[--seconds N] [TARGET]`.
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        let (seconds, rest) = match arguments {
            ["--seconds", seconds, rest @ ..] => (seconds.parse().ok()?, rest),
            rest => (Self::DEFAULT_SECONDS, rest),
        };
        let target = match rest {
            [] => None,
            [target] if !target.starts_with('-') => Some((*target).to_owned()),
            _ => return None,
        };
        // libFuzzer would take 0 for ever.
        (seconds > 0).then_some(Self { seconds, target })
    }
}

/// A target found an input that breaks a promise.
#[derive(Debug, thiserror::Error)]
#[error("{target}: {source}; the input is in {}", artifacts.display())]
struct Found {
    target: String,
    artifacts: PathBuf,
    source: Failure,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no target `{target}`; there are {}", known.join(", "))]
struct Unknown {
    target: String,
    known: Vec<String>,
}

/// What libFuzzer says about a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    edges: u64,
    inputs: u64,
}

/// Fuzzes each target for its time and stops at the first that finds something.
///
/// # Errors
///
/// There is no such target, the targets do not build, or one of them found something.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let known = targets(workspace)?;
    let chosen = match &options.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => {
            let target = target.clone();
            return Err(Unknown { target, known }.into());
        }
    };
    let built = build(workspace)?;
    let mut lines = Vec::new();
    for target in &chosen {
        let figures = fuzz(workspace, &built.join(target), target, options.seconds)?;
        lines.push(format!(
            "{target:>14}  {:>10} executions  {:>5} edges  {:>5} inputs",
            figures.executions, figures.edges, figures.inputs
        ));
    }
    println!();
    lines.iter().for_each(|line| println!("{line}"));
    println!(
        "fuzz: {} targets, {} s each, nothing found",
        chosen.len(),
        options.seconds
    );
    Ok(())
}

/// Checks the package of the targets and runs every committed seed through its target, without libFuzzer
/// and so without a C++ compiler.
///
/// # Errors
///
/// The package is not formatted, has a warning, or a target panics.
pub(crate) fn replay(workspace: &Workspace) -> Result<(), Failure> {
    let manifest = workspace.root.join(PACKAGE).join("Cargo.toml");
    let mut format = workspace.command("cargo", &["fmt", "--check", "--manifest-path"]);
    process::run(format.arg(&manifest))?;
    for (command, last) in [("clippy", &["--", "-Dwarnings"][..]), ("test", &[])] {
        let alone = ["--locked", "--no-default-features", "--all-targets"];
        let mut cargo = workspace.command("cargo", &[&[command], &alone[..]].concat());
        cargo.arg("--manifest-path").arg(&manifest);
        cargo.arg("--target-dir").arg(&workspace.target);
        process::run(cargo.args(last))?;
    }
    Ok(())
}

/// The names of the targets: one file each.
fn targets(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace.root.join(PACKAGE).join("fuzz_targets"))? {
        let path = entry?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy());
        names.extend(name.map(String::from));
    }
    names.sort();
    Ok(names)
}

/// Builds every target and returns the folder of the programs.
fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let host = host()?;
    let folder = workspace.target.join("fuzz");
    let manifest = workspace.root.join(PACKAGE).join("Cargo.toml");
    let mut cargo = workspace.command("cargo", &["build", "--locked", "--release", "--bins"]);
    cargo.arg("--manifest-path").arg(manifest);
    cargo.arg("--target-dir").arg(&folder);
    // With a target the flags are not for build scripts and macros, which run without libFuzzer.
    cargo.args(["--target", &host]);
    cargo.env("RUSTFLAGS", RUSTFLAGS.join(" "));
    process::run(&mut cargo)?;
    Ok(folder.join(host).join("release"))
}

/// The platform of this compiler, such as `x86_64-unknown-linux-gnu`.
fn host() -> Result<String, Failure> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not tell its host")?.to_owned())
}

/// Runs one target. What it learns is kept in the target folder for the next run; the seeds of the
/// package stay as they are.
fn fuzz(
    workspace: &Workspace,
    program: &Path,
    target: &str,
    seconds: u32,
) -> Result<Figures, Failure> {
    let package = workspace.root.join(PACKAGE);
    let seeds = package.join("corpus").join(target);
    let words = package.join("dict").join(format!("{target}.dict"));
    let corpus = workspace.target.join("fuzz/corpus").join(target);
    let artifacts = workspace.target.join("fuzz/artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)?;
    }
    println!("\n{target}: {seconds} s");
    let mut command = Command::new(program);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-timeout={TIMEOUT_SECONDS}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg("-print_final_stats=1").args([&corpus, &seeds]);
    let mut figures = Figures::default();
    watch(&mut command, &mut figures).map_err(|source| Found {
        target: target.to_owned(),
        artifacts,
        source,
    })?;
    Ok(figures)
}

/// Runs a command to its end and reads along.
fn watch(command: &mut Command, figures: &mut Figures) -> Result<(), Failure> {
    let child = command.stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|source| process::not_started(command, source))?;
    if let Some(written) = child.stderr.take() {
        // An input that broke something may be quoted in bytes that are no text.
        for line in BufReader::new(written).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            figures.read(&line);
            if !is_noise(&line) {
                eprintln!("{line}");
            }
        }
    }
    Ok(process::succeeded(command, child.wait()?)?)
}

/// Whether a line tells of one more input, as thousands do, or belongs to the dictionary at the end.
fn is_noise(line: &str) -> bool {
    let event = line.split_whitespace().nth(1);
    let is_progress = matches!(event, Some("NEW" | "REDUCE" | "RELOAD"));
    line.starts_with('#') && is_progress
        || line.starts_with("###### ")
        || line.starts_with('"') && line.contains("\" # Uses: ")
}

impl Figures {
    /// ```text
    /// #133530 DONE   cov: 5624 ft: 18575 corp: 3218/1538Kb lim: 1163 exec/s: 6358 rss: 38Mb
    /// stat::number_of_executed_units: 133530
    /// ```
    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let place = match word {
                "cov:" => &mut self.edges,
                "corp:" => &mut self.inputs,
                "stat::number_of_executed_units:" => &mut self.executions,
                _ => continue,
            };
            let number = words.next().and_then(|word| word.split('/').next());
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                *place = number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_a_time_and_a_target() {
        let options = |seconds, target: Option<&str>| {
            let target = target.map(str::to_owned);
            Some(Options { seconds, target })
        };
        for (arguments, expected) in [
            (&[][..], options(60, None)),
            (&["reply"], options(60, Some("reply"))),
            (&["--seconds", "5"], options(5, None)),
            (&["--seconds", "5", "reply"], options(5, Some("reply"))),
            (&["--seconds", "0"], None),
            (&["--seconds", "soon"], None),
            (&["--seconds"], None),
            (&["--fast"], None),
            (&["reply", "conversation"], None),
        ] {
            assert_eq!(Options::parse(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_last_figures_count() {
        let mut figures = Figures::default();
        for line in [
            "INFO: seed corpus: files: 79",
            "#80\tINITED cov: 5000 ft: 9000 corp: 79/19Kb exec/s: 0 rss: 30Mb",
            "#133530\tDONE   cov: 5624 ft: 18575 corp: 3218/1538Kb lim: 1163 exec/s: 6358 rss: 38Mb",
            "stat::number_of_executed_units: 133530",
        ] {
            figures.read(line);
        }
        let expected = Figures {
            executions: 133_530,
            edges: 5_624,
            inputs: 3_218,
        };
        assert_eq!(figures, expected);
    }

    #[test]
    fn the_thousand_lines_of_every_run_are_left_out() {
        for line in [
            "#7\tNEW    cov: 1",
            "#8\tREDUCE cov: 1",
            "###### Recommended dictionary. ######",
            r#""\377\377q" # Uses: 54"#,
        ] {
            assert!(is_noise(line), "{line}");
        }
        for line in [
            "#7\tDONE   cov: 1",
            "#8\tpulse  cov: 1",
            "NEW panic",
            "\"x\" # y",
        ] {
            assert!(!is_noise(line), "{line}");
        }
    }
}
