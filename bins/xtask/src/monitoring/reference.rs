//! The documentation of the metrics: a table of all of them, and the configuration of the scraper.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{Family, Page};
use crate::Failure;

/// Metrics that a gateway has only in some configurations, and which.
pub(super) const ELSEWHERE: [(&str, &str); 2] = [
    ("kiro_gateway_limits_shared", "only with Redis"),
    ("kiro_gateway_requests_unshared_total", "only with Redis"),
];

/// What begins the name of every metric.
const PREFIX: &str = "kiro_gateway_";

/// How the names of a histogram's samples end.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_count", "_sum"];

/// Compares the table with the page: the same metrics, each of the same type and with the same labels.
///
/// # Errors
///
/// All differences.
pub(super) fn check(documentation: &str, page: &Page) -> Result<(), Failure> {
    let mut rows = rows(documentation);
    let mut wrong = Vec::new();
    for family in &page.families {
        let name = family.name();
        let labels: Vec<&str> = family.labels().into_iter().collect();
        let has = (family.kind.clone(), labels.join(", "));
        match rows.remove(&name) {
            None => wrong.push(format!("{name} is not in the table")),
            Some(says) if says != has => {
                wrong.push(format!("{name} is {has:?}, and {says:?} in the table"));
            }
            Some(_) => {}
        }
    }
    for (name, _) in ELSEWHERE {
        if rows.remove(name).is_none() {
            wrong.push(format!("{name} is not in the table"));
        }
    }
    wrong.extend(rows.keys().map(|name| format!("{name} does not exist")));
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(wrong.join("; ").into()),
    }
}

/// The rows of the table: name, type and labels, these in the order of the alphabet.
fn rows(documentation: &str) -> BTreeMap<String, (String, String)> {
    let rows = documentation.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let name = cells.next()?.trim_matches('`');
        let (kind, labels) = (cells.next()?, cells.next()?.replace('`', ""));
        let labels: BTreeSet<&str> = labels.split(", ").filter(|label| *label != "–").collect();
        let labels: Vec<&str> = labels.into_iter().collect();
        name.starts_with(PREFIX)
            .then(|| (name.to_owned(), (kind.to_owned(), labels.join(", "))))
    });
    rows.collect()
}

/// The samples that a text names, such as the board.
///
/// # Errors
///
/// One that is not on the page.
pub(super) fn names<'a>(text: &'a str, page: &Page) -> Result<BTreeSet<&'a str>, Failure> {
    let known: BTreeSet<String> = page.families.iter().flat_map(samples).collect();
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(PREFIX) {
        let rest = &text[at..];
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let name = &rest[..end.unwrap_or(rest.len())];
        if !known.contains(name) && reason_elsewhere(name).is_none() {
            return Err(format!("there is no metric {name}").into());
        }
        names.insert(name);
    }
    Ok(names)
}

fn samples(family: &Family) -> Vec<String> {
    let name = family.name();
    match family.kind.as_str() {
        "histogram" => OF_HISTOGRAMS.map(|ending| name.clone() + ending).into(),
        _ => vec![name],
    }
}

/// Why a gateway does not have this metric here.
pub(super) fn reason_elsewhere(name: &str) -> Option<&'static str> {
    let found = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name);
    found.map(|(_, reason)| *reason)
}

/// The configuration of Prometheus that the documentation shows, with these words in place of its own.
///
/// # Errors
///
/// There is none, or it does not have one of the words.
pub(super) fn scraper(documentation: &str, words: &[(&str, &str)]) -> Result<String, Failure> {
    let blocks = documentation.split("```");
    let mut blocks = blocks.filter_map(|block| block.strip_prefix("yaml\n"));
    let block = blocks.find(|block| block.contains("scrape_configs:"));
    let mut block = block.ok_or("no `scrape_configs` is shown")?.to_owned();
    for (word, in_place) in words {
        if !block.contains(word) {
            return Err(format!("`{word}` is not in the configuration that is shown").into());
        }
        block = block.replace(word, in_place);
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page::parse(
            "# HELP kiro_gateway_asked A.\n# TYPE kiro_gateway_asked counter\nkiro_gateway_asked_total{b=\"1\",a=\"2\"} 1\n\
             # HELP kiro_gateway_took_seconds B.\n# TYPE kiro_gateway_took_seconds histogram\nkiro_gateway_took_seconds_sum 1\n",
        )
        .unwrap()
    }

    const TABLE: &str = "\
| metric | type | labels | unit | what it says |
| --- | --- | --- | --- | --- |
| `kiro_gateway_asked_total` | counter | `b`, `a` | requests | Asked. |
| `kiro_gateway_took_seconds` | histogram | – | seconds | Took. |
| `kiro_gateway_limits_shared` | gauge | – | 0 or 1 | Shared. |
| `kiro_gateway_requests_unshared_total` | counter | – | requests | Not. |
";

    #[test]
    fn the_table_and_the_page_say_the_same_or_it_is_told() {
        check(TABLE, &page()).unwrap();
        for (row, other, told) in [
            ("asked_total", "asked", "kiro_gateway_asked does not exist"),
            (
                "asked_total",
                "other_total",
                "kiro_gateway_asked_total is not in the table",
            ),
            ("`b`, `a`", "`a`", "asked_total is (\"counter\", \"a, b\")"),
            ("histogram", "gauge", "took_seconds is (\"histogram\""),
            (
                "limits_shared",
                "limits",
                "limits_shared is not in the table",
            ),
        ] {
            let error = check(&TABLE.replace(row, other), &page()).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn what_a_text_names_is_on_the_page() {
        let text = "rate(kiro_gateway_took_seconds_bucket[1m]) + kiro_gateway_asked_total{a=\"b\"} + kiro_gateway_limits_shared";
        let found: Vec<&str> = names(text, &page()).unwrap().into_iter().collect();
        let samples = ["asked_total", "limits_shared", "took_seconds_bucket"];
        assert_eq!(found, samples.map(|name| PREFIX.to_owned() + name));
        for name in ["nothing", "asked", "asked_total_sum", "took_seconds"] {
            assert!(
                names(&(PREFIX.to_owned() + name), &page()).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn the_configuration_is_taken_from_its_block() {
        let text = "```sh\nls\n```\n\n```yaml\nscrape_configs:\n  - targets: [a:1]\n```\n";
        let config = scraper(text, &[("a:1", "b:2")]).unwrap();
        assert_eq!(config, "scrape_configs:\n  - targets: [b:2]\n");
        assert!(scraper(text, &[("c:1", "b:2")]).is_err());
        assert!(scraper("none", &[]).is_err());
    }
}
