//! The board for Grafana, as far as it can be tried without one: its expressions.

use serde_json::Value;

use crate::Failure;

/// What Grafana puts in place of its variables, for a gateway that is scraped every second.
const VARIABLES: [(&str, &str); 4] = [
    ("$job", ".*"),
    ("$instance", ".*"),
    ("$__rate_interval", "10s"),
    ("$__range", "1m"),
];

/// One expression of a panel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) panel: String,
    /// As Prometheus reads it.
    pub(super) expression: String,
}

/// All expressions of the board.
///
/// # Errors
///
/// It is no board, a panel has no expression, or one has a variable that is not known.
pub(super) fn queries(board: &str) -> Result<Vec<Query>, Failure> {
    let board: Value = serde_json::from_str(board)?;
    let panels = board["panels"]
        .as_array()
        .ok_or("the board has no panels")?;
    let mut queries = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap_or("without a title");
        let targets = panel["targets"].as_array().filter(|all| !all.is_empty());
        let targets = targets.ok_or_else(|| format!("`{title}` asks for nothing"))?;
        for target in targets {
            let expression = target["expr"].as_str().unwrap_or_default();
            queries.push(Query {
                panel: title.to_owned(),
                expression: without_variables(expression, title)?,
            });
        }
    }
    Ok(queries)
}

fn without_variables(expression: &str, panel: &str) -> Result<String, Failure> {
    let put = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
    let expression = VARIABLES.iter().fold(expression.to_owned(), put);
    match expression.contains('$') {
        true => Err(format!("`{panel}` has an unknown variable: {expression}").into()),
        false => Ok(expression),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(panel: &str) -> String {
        format!(r#"{{"panels": [{{"type": "row", "title": "Now"}}, {panel}]}}"#)
    }

    #[test]
    fn variables_are_filled_in_and_rows_passed_over() {
        let panel = r#"{"type": "stat", "title": "A", "targets": [{"expr": "rate(a{job=~\"$job\"}[$__rate_interval])"}]}"#;
        let query = Query {
            panel: "A".to_owned(),
            expression: "rate(a{job=~\".*\"}[10s])".to_owned(),
        };
        assert_eq!(queries(&board(panel)).unwrap(), [query]);
    }

    #[test]
    fn an_empty_panel_and_an_unknown_variable_are_mistakes() {
        for panel in [
            r#"{"type": "stat", "title": "A", "targets": []}"#,
            r#"{"type": "stat", "title": "A", "targets": [{"expr": "a{b=\"$c\"}"}]}"#,
        ] {
            let error = queries(&board(panel)).unwrap_err().to_string();
            assert!(error.contains("`A`"), "{error}");
        }
    }
}
