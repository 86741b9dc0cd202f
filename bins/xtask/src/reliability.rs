//! The table of faults and attacks: from the tests that show each row, and from how they went.
//!
//! A row is a test in `tests/faults/`: its name begins with its number, and its comment is what must hold. So the
//! table cannot say what no test shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::Failure;
use crate::process::not_started;
use crate::workspace::Workspace;

/// The groups: their letter, what goes wrong, and how many rows they have.
const GROUPS: [(char, &str, usize); 5] = [
    ('a', "Clients", 15),
    ('b', "The service", 30),
    ('c', "The place where a login is kept", 10),
    ('d', "The process", 14),
    ('e', "Attacks", 20),
];

const PAGE: &str = "docs/reliability.md";

const INTRODUCTION: &str = "\
# Reliability

What goes wrong, what the gateway makes of it, and the test that shows it. Each row is one test that starts the program
before a simulated Kiro (`tests/faults/`); after each of them a neighbour's stream must have come through whole, the next
request be served, nothing be under way, memory and descriptors be back, nothing have panicked and no secret be in the log.

`cargo xtask reliability` runs them and writes this page; `cargo xtask ci` checks that it tells of the tests that there are.
";

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    group: char,
    number: usize,
    expected: String,
    test: String,
}

/// Runs the tests, and writes the page from how they went.
///
/// # Errors
///
/// A test fails; the page is written all the same.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let rows = rows(workspace)?;
    let mut test = workspace.command("cargo", &["test", "--locked", "-p", "kiro-2api"]);
    test.args(["--test", "faults"]).stderr(Stdio::inherit());
    let output = test.output().map_err(|error| not_started(&test, error))?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    let holds = |row: &Row| said.contains(&format!("::{} ... ok", row.test));
    let holding = rows.iter().filter(|row| holds(row)).count();
    fs::write(workspace.root.join(PAGE), page(&rows, holds))?;
    println!("{holding} of {} rows hold; {PAGE} is written", rows.len());
    if holding == rows.len() {
        Ok(())
    } else {
        Err("some rows do not hold".into())
    }
}

/// Whether the page tells of the tests that there are, and of each that it holds; that they do is shown by the
/// step that runs all tests.
///
/// # Errors
///
/// The page is not what [`run`] would write after a success.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let rows = rows(workspace)?;
    let written = fs::read_to_string(workspace.root.join(PAGE))?;
    if written != page(&rows, |_| true) {
        return Err(format!("{PAGE} is not up to date; run `cargo xtask reliability`").into());
    }
    println!("{} rows, each with its test", rows.len());
    Ok(())
}

/// The rows of all tests, in order. Each of the groups is there as a whole.
fn rows(workspace: &Workspace) -> Result<Vec<Row>, Failure> {
    let mut rows = BTreeMap::new();
    for entry in fs::read_dir(workspace.root.join("tests/faults"))? {
        let path: PathBuf = entry?.path();
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        for row in rows_in(&fs::read_to_string(&path)?) {
            let row = row.map_err(|what| format!("{}: {what}", path.display()))?;
            let key = (row.group, row.number);
            if let Some(other) = rows.insert(key, row) {
                return Err(format!("two tests have the number of {}", other.test).into());
            }
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    match missing(&rows).as_slice() {
        [] => Ok(rows),
        missing => Err(format!("no test has the number of {}", missing.join(", ")).into()),
    }
}

/// The rows of the groups that no test has.
fn missing(rows: &[Row]) -> Vec<String> {
    let all = GROUPS
        .iter()
        .flat_map(|(group, _, n_rows)| (1..=*n_rows).map(|number| (*group, number)));
    let has_test = |id: &(char, usize)| rows.iter().any(|row| (row.group, row.number) == *id);
    all.filter(|id| !has_test(id))
        .map(|(group, number)| format!("{}{number}", group.to_ascii_uppercase()))
        .collect()
}

/// The tests of a file that are rows, each with the comment before it.
fn rows_in(text: &str) -> Vec<Result<Row, String>> {
    let mut rows = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            comment.push(words);
            continue;
        }
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            if line.contains("ignore") {
                rows.push(Err(format!("no row is skipped: {line}")));
            }
            continue;
        }
        let name = line.strip_prefix("async fn ").or(line.strip_prefix("fn "));
        let name = name.and_then(|name| name.split('(').next());
        if let (true, Some(name)) = (is_test, name) {
            rows.push(row(name, &comment.join(" ")));
        }
        comment.clear();
        is_test = false;
    }
    rows
}

fn row(name: &str, expected: &str) -> Result<Row, String> {
    let (id, _) = name.split_once('_').unwrap_or((name, ""));
    let known = GROUPS.iter().find_map(|(group, _, n_rows)| {
        let number: usize = id.strip_prefix(*group)?.parse().ok()?;
        (1..=*n_rows).contains(&number).then_some((*group, number))
    });
    let (group, number) = known.ok_or(format!("`{name}` does not begin with a row's number"))?;
    if expected.is_empty() {
        return Err(format!("`{name}` does not say what must hold"));
    }
    Ok(Row {
        group,
        number,
        expected: expected.to_owned(),
        test: name.to_owned(),
    })
}

fn page(rows: &[Row], holds: impl Fn(&Row) -> bool) -> String {
    let mut page = INTRODUCTION.to_owned();
    for (group, about, _) in GROUPS {
        let of_group: Vec<&Row> = rows.iter().filter(|row| row.group == group).collect();
        let letter = group.to_ascii_uppercase();
        page += &format!(
            "\n## {letter}. {about}\n\n| row | what must hold | test | result |\n| --- | --- | --- | --- |\n"
        );
        for row in &of_group {
            let result = if holds(row) { "holds" } else { "FAILS" };
            let expected = row.expected.replace('|', "\\|");
            let (number, test) = (row.number, &row.test);
            page += &format!("| {letter}{number} | {expected} | `{test}` | {result} |\n");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
/// A helper.
fn help() {}

/// It holds,
/// always | everywhere.
#[tokio::test(flavor = \"multi_thread\")]
async fn b04_message_crc_wrong() {
}

/// Locked.
#[test]
fn e20_locked() {
}
";

    #[test]
    fn a_row_is_a_test_with_its_comment() {
        let rows: Vec<Row> = rows_in(FILE).into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].group, rows[0].number), ('b', 4));
        assert_eq!(rows[0].expected, "It holds, always | everywhere.");
        let page = page(&rows, |row| row.group == 'e');
        assert!(page.contains(
            "| B4 | It holds, always \\| everywhere. | `b04_message_crc_wrong` | FAILS |\n"
        ));
        assert!(page.contains("| E20 | Locked. | `e20_locked` | holds |\n"));
        let missing = missing(&rows);
        let n_rows: usize = GROUPS.iter().map(|(_, _, n_rows)| n_rows).sum();
        assert_eq!(missing.len(), n_rows - 2);
        assert!(missing.contains(&"B3".to_owned()) && !missing.contains(&"B4".to_owned()));
    }

    #[test]
    fn what_is_no_row_and_what_is_skipped_are_mistakes() {
        for text in [
            "/// Words.\n#[test]\nfn b31_one_too_many() {\n",
            "/// Words.\n#[test]\nfn b00_none() {\n",
            "/// Words.\n#[test]\nfn it_works() {\n",
            "#[test]\nfn b01_without_words() {\n",
            "/// Words.\n#[test]\n#[ignore]\nfn b01_skipped() {\n",
        ] {
            assert!(rows_in(text).iter().any(Result::is_err), "{text}");
        }
    }
}
