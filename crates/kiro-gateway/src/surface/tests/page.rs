//! The tables of `docs/compatibility.md` are those of the code.
//!
//! After a change of a table, `KIRO_2API_BLESS=1 cargo test -p kiro-gateway --all-features --lib page` writes them into
//! the page.

use std::fs;
use std::sync::Arc;

use super::SURFACES;
use crate::catalog::Models;
use crate::error::{Error, ErrorKind};
use crate::routes::{self, Route};
use crate::surface::verdict::{Row, Table};
use crate::surface::{Surface as _, messages, openai};

const PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md");

fn tables() -> impl Iterator<Item = &'static Table> {
    SURFACES.iter().flat_map(|cases| {
        let (members, inside) = cases.verdicts;
        std::iter::once(members).chain(inside.iter().copied())
    })
}

/// The page with the tables as they are in the code.
fn written(page: &str) -> String {
    tables().fold(page.to_owned(), |page, table| {
        let title = format!("\n### {}\n\n", table.title);
        let (before, rest) = page.split_once(&title).expect(table.title);
        let (_, after) = rest.split_once("\n\n").expect("something behind the table");
        format!("{before}{title}{table}\n{after}")
    })
}

#[test]
fn the_page_has_the_tables() {
    let page = fs::read_to_string(PLACE).unwrap();
    let written = written(&page);
    if page != written && option_env!("KIRO_2API_BLESS").is_some() {
        fs::write(PLACE, &written).unwrap();
    }
    let differs = page.lines().zip(written.lines()).find(|(is, be)| is != be);
    assert!(page == written, "is, and should be: {differs:#?}");
}

#[test]
fn every_thing_has_one_row() {
    for table in tables() {
        let mut things: Vec<String> = table.rows.iter().flat_map(Row::things).collect();
        things.sort();
        let n_things = things.len();
        things.dedup();
        assert_eq!(things.len(), n_things, "{}", table.title);
    }
}

/// The rows of the table of errors: statuses and codes, without their backticks.
fn errors(page: &str, title: &str) -> Vec<(String, String)> {
    let (_, part) = page.split_once(&format!("\n{title}\n")).expect(title);
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| "));
    let rows = rows.map(|row| row.replace('`', ""));
    let rows = rows.map(|row| {
        let mut cells = row.split(" | ").skip(1);
        let mut next = || cells.next().unwrap_or_default().to_owned();
        (next(), next())
    });
    rows.collect()
}

#[test]
fn every_error_is_in_the_table_with_its_status_and_its_code() {
    let page = fs::read_to_string(PLACE).unwrap();
    let of_all = errors(&page, "## Errors");
    let of_messages = errors(&page, "### Errors of the Messages API");
    for kind in ErrorKind::ALL.iter().copied() {
        if kind == ErrorKind::Internal {
            // A fault of ours has no place in a table of what to expect.
            continue;
        }
        let error = Error::new(kind, "m");
        let status = error.status().as_str().to_owned();
        let code = openai::error::default_code(kind).unwrap_or("null");
        let is_told = of_all.iter().any(|(statuses, codes)| {
            // Each of the codes of an unsatisfied demand has a row, and none the kind's own.
            let code = if code == "unsatisfied" { "" } else { code };
            statuses.starts_with(&status) && codes.contains(code)
        });
        // A route that is not there has a code of its own.
        let is_told = is_told || kind == ErrorKind::NotFound;
        assert!(is_told, "{kind:?}: {status} {code}");
        let own = messages::Messages.status(&error);
        if own != error.status() || kind == ErrorKind::ContextTooLong {
            let own = own.as_str();
            let is_told = of_messages.iter().any(|(told, _)| told.starts_with(own));
            assert!(is_told, "{kind:?} of messages: {own}");
        }
    }
}

#[test]
fn the_models_and_the_routes_without_a_key_are_those_of_the_code() {
    let page = fs::read_to_string(PLACE).unwrap();
    let (_, part) = page.split_once("\n## Models\n").unwrap();
    let list = part.split("\n\n").nth(1).unwrap();
    let told: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let models = Models::seed(&Arc::default());
    let known: Vec<&str> = models.listed().map(|(name, _)| name).collect();
    assert_eq!(told, known);

    let (before, _) = page.split_once(" need no key.").unwrap();
    let sentence = before.rsplit(". ").next().unwrap();
    for row in routes::TABLE {
        // Parts of pages go with the page, and the dashboard holds nothing.
        let is_told = sentence.contains(&format!("`{} {}`", row.method, row.path));
        let is_open = !row.key
            && !matches!(row.route, Route::Admin(_))
            && !row.path.contains('{')
            && row.path != "/dashboard";
        assert_eq!(is_told, is_open, "{}", row.path);
    }
}
