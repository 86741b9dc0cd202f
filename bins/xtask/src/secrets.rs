//! The log of the whole test suite, searched for secrets.
//!
//! Tests write what they log, at the most talkative level, to files in one folder (`tests/support/log.rs`).
//! The tokens of the simulator are invented and have the shapes of real ones, so they are known by how they begin
//! and by their length; those that tests make up themselves are called `access-1`, `refresh-1` and so on.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::workspace::Workspace;

/// The variable that tells tests where to write.
pub(crate) const VARIABLE: &str = "KIRO_TEST_LOG";

/// How secrets begin, and the second halves of tokens. A test holds the list against `kiro_auth::SECRET_FORMS`, which is
/// not used itself: whoever runs a chore should not wait for that crate.
const BEGINNINGS: [&str; 7] = [
    "aoaAAAAAG",
    "aorAAAAAG",
    "MGUCMQ",
    "MGQCM",
    "ksk_",
    "eyJ",
    "1.AXoA",
];

/// What tests call the tokens that they make up; a digit follows.
const MADE_UP: [&str; 2] = ["access-", "refresh-"];

/// Characters of a secret that must follow its beginning. Enough that nothing else is meant, few enough that a
/// part of a secret is found as well.
const FOLLOWING: usize = 16;

/// A line of a log that holds a secret.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}, line {line}, holds a secret that begins with `{beginning}`; the line is left in the file",
    file.display()
)]
struct Leak {
    file: PathBuf,
    line: usize,
    beginning: &'static str,
}

/// Nothing was heard, so nothing is proven.
#[derive(Debug, thiserror::Error)]
#[error("the tests wrote {lines} lines to {}, and `refreshed` is {}among them", folder.display(), if *.refreshed { "" } else { "not " })]
struct Silence {
    folder: PathBuf,
    lines: usize,
    refreshed: bool,
}

/// An empty folder for the logs.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join("test-logs");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Searches the logs that the tests have left.
///
/// # Errors
///
/// There is a secret in them, or they are empty.
pub(crate) fn search(workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.target.join("test-logs");
    let (mut files, mut lines, mut refreshed) = (0, 0, false);
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        files += 1;
        let mut reader = BufReader::new(File::open(&path)?);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            lines += 1;
            let text = String::from_utf8_lossy(&bytes);
            refreshed |= text.contains("refreshed");
            if let Some(beginning) = secret_in(&text) {
                return Err(leak(&path, line, beginning).into());
            }
        }
    }
    if lines < 1_000 || !refreshed {
        return Err(Silence {
            folder,
            lines,
            refreshed,
        }
        .into());
    }
    println!("{lines} lines of {files} processes hold no secret");
    Ok(())
}

fn leak(path: &Path, line: usize, beginning: &'static str) -> Leak {
    Leak {
        file: path.to_owned(),
        line,
        beginning,
    }
}

/// How the first secret of a text begins, if there is one.
fn secret_in(text: &str) -> Option<&'static str> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let behind = |beginning: &'static str| {
        text.match_indices(beginning)
            .map(move |(at, _)| text[at + beginning.len()..].chars())
    };
    let real = BEGINNINGS.into_iter().find(|beginning| {
        behind(beginning).any(|rest| rest.take_while(is_part).count() >= FOLLOWING)
    });
    let made_up = || {
        let is_number =
            |mut rest: std::str::Chars<'_>| rest.next().is_some_and(|c| c.is_ascii_digit());
        MADE_UP.into_iter().find(|name| behind(name).any(is_number))
    };
    real.or_else(made_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands_and_words_are_not() {
        let long = "x".repeat(FOLLOWING);
        for beginning in BEGINNINGS {
            for text in [
                format!("{beginning}{long}"),
                format!("token={beginning}{long}:rest"),
                format!("\"{beginning}{long}\""),
                format!("{beginning} {beginning}{long}"),
            ] {
                assert_eq!(secret_in(&text), Some(beginning), "{text}");
            }
            assert_eq!(secret_in(beginning), None);
            assert_eq!(secret_in(&format!("{beginning}{}", &long[1..])), None);
        }
        assert_eq!(secret_in("asked with refresh-0"), Some("refresh-"));
        for words in [
            "refreshed generation=1 expires_in=3600s",
            "access-control-allow-origin",
            "the refresh-token",
        ] {
            assert_eq!(secret_in(words), None);
        }
    }

    #[test]
    fn every_form_of_a_secret_is_looked_for() {
        for form in kiro_auth::SECRET_FORMS {
            let is_known = BEGINNINGS
                .iter()
                .any(|beginning| beginning.starts_with(form.beginning));
            assert!(is_known, "{}", form.beginning);
        }
    }

    #[test]
    fn a_leak_is_named_and_silence_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().to_owned(),
            target: folder.path().to_owned(),
        };
        let logs = super::folder(&workspace).unwrap();
        assert!(
            search(&workspace)
                .unwrap_err()
                .to_string()
                .contains("0 lines")
        );

        let quiet = "INFO refreshed generation=1\n".repeat(1_000);
        fs::write(logs.join("quiet.log"), &quiet).unwrap();
        search(&workspace).unwrap();

        let leaking = format!("{quiet}TRACE sent aorAAAAAG{}\n", "x".repeat(100));
        fs::write(logs.join("leaking.log"), leaking).unwrap();
        let error = search(&workspace).unwrap_err().to_string();
        assert!(
            error.contains("leaking.log") && error.contains("line 1001"),
            "{error}"
        );
        assert!(!error.contains("xxx"), "{error}");
    }
}
