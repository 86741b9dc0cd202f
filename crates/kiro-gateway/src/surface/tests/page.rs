//! The tables of `docs/compatibility.md` are those of the code.
//!
//! After a change of a table, `KIRO_2API_BLESS=1 cargo test -p kiro-gateway --all-features --lib page` writes them into
//! the page.

use std::fs;

use super::SURFACES;
use crate::surface::verdict::{Row, Table};

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
