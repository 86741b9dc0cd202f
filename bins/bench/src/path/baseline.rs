//! What the path cost when it was last agreed on, and whether it costs more now.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::figure::Figure;

/// How much more something may cost: counts differ a little from run to run, in the order in which a runtime wakes tasks.
const MORE: f64 = 0.02;

/// How much more on another machine, over the bare client: another compiler makes other code, and another processor lets
/// the C library and checksums choose other instructions.
const MORE_ELSEWHERE: f64 = 0.25;

/// What of a processor decides which instructions are chosen at run time.
const FEATURES: [&str; 5] = ["avx2", "avx512f", "erms", "fsrm", "pclmulqdq"];

/// Counts, and where they were taken.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Baseline {
    machine: Vec<String>,
    counts: BTreeMap<String, Count>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    instructions: f64,
    /// Over the bare client.
    ratio: Option<f64>,
}

impl Baseline {
    pub(super) fn of(figures: &[Figure]) -> Result<Self, Failure> {
        let counts = figures.iter().map(|figure| {
            let count = Count {
                instructions: figure.value.round(),
                ratio: figure.ratio.map(|ratio| (ratio * 1000.0).round() / 1000.0),
            };
            (figure.name.clone(), count)
        });
        Ok(Self {
            machine: machine()?,
            counts: counts.collect(),
        })
    }

    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(fs::write(file, text)?)
    }

    /// Whether all of it costs what it did, or less.
    ///
    /// # Errors
    ///
    /// What costs more, and what was counted before and is not now.
    pub(super) fn judge(&self, before: &Self) -> Result<(), Failure> {
        let is_same = self.machine == before.machine;
        if !is_same {
            eprintln!("This is not the machine of the baseline, so this is a coarse look.");
            eprintln!("here:  {}", self.machine.join(", "));
            eprintln!("there: {}", before.machine.join(", "));
        }
        let mut wrong = Vec::new();
        for (name, then) in &before.counts {
            let Some(now) = self.counts.get(name) else {
                wrong.push(format!("{name} is not counted any more"));
                continue;
            };
            let (now, then, more) = match (now.ratio, then.ratio) {
                (Some(now), Some(then)) if !is_same => (now, then, MORE_ELSEWHERE),
                _ if is_same => (now.instructions, then.instructions, MORE),
                // Without a bare client there is nothing to compare with.
                _ => continue,
            };
            if now > then * (1.0 + more) {
                let percent = (now / then - 1.0) * 100.0;
                wrong.push(format!(
                    "{name} costs {percent:.1} % more: {now} in place of {then}"
                ));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.push(
            "if it is worth it: `cargo xtask bench gate --bless`, and the reason in the commit"
                .into(),
        );
        Err(wrong.join("\n").into())
    }
}

/// What the counts depend on besides our code: compiler, valgrind, C library, and what the processor can do.
fn machine() -> Result<Vec<String>, Failure> {
    let mut machine = Vec::new();
    for program in ["rustc", "valgrind", "ldd"] {
        let output = Command::new(program).arg("--version").output()?;
        let output = String::from_utf8_lossy(&output.stdout);
        machine.extend(output.lines().next().map(str::to_owned));
    }
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let has = |feature: &&str| processor.split_whitespace().any(|word| word == *feature);
    machine.extend(FEATURES.into_iter().filter(has).map(str::to_owned));
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(machine: &str, instructions: f64, ratio: Option<f64>) -> Baseline {
        let count = Count {
            instructions,
            ratio,
        };
        Baseline {
            machine: vec![machine.to_owned()],
            counts: BTreeMap::from([("event".to_owned(), count)]),
        }
    }

    #[test]
    fn two_percent_more_are_too_much() {
        let before = counted("a", 1000.0, Some(2.0));
        counted("a", 1020.0, Some(3.0)).judge(&before).unwrap();
        counted("a", 500.0, Some(1.0)).judge(&before).unwrap();
        let error = counted("a", 1021.0, Some(2.0)).judge(&before).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("event costs 2.1 % more: 1021"), "{error}");
        assert!(error.contains("--bless"), "{error}");
    }

    #[test]
    fn another_machine_is_measured_by_the_bare_client() {
        let before = counted("a", 1000.0, Some(2.0));
        counted("b", 2000.0, Some(2.5)).judge(&before).unwrap();
        assert!(counted("b", 1000.0, Some(2.51)).judge(&before).is_err());
        let alone = counted("a", 1000.0, None);
        counted("b", 9000.0, None).judge(&alone).unwrap();
    }

    #[test]
    fn what_is_not_counted_any_more_is_missed() {
        let mut now = counted("a", 1.0, None);
        now.counts.clear();
        let error = now.judge(&counted("a", 1.0, None)).unwrap_err();
        assert!(error.to_string().contains("not counted any more"));
    }

    #[test]
    fn a_file_keeps_it() {
        let file = std::env::temp_dir().join(format!("baseline.{}", std::process::id()));
        counted("a", 1000.0, Some(2.5)).write(&file).unwrap();
        let read = Baseline::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(read.machine, ["a"]);
        assert_eq!(read.counts["event"].ratio, Some(2.5));
    }
}
