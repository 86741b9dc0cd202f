//! The alert rules, as Prometheus has read them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;
use crate::process;

/// What an alert has to tell besides its expression.
const ANNOTATIONS: [&str; 3] = ["summary", "description", "remedy"];

/// How bad an alert may be.
const SEVERITIES: [&str; 2] = ["critical", "warning"];

/// Begins a command in a remedy.
const COMMAND: &str = "`kiro-2api ";

/// One alert.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expression: String,
    remedy: String,
}

/// Reads what `/api/v1/rules` has.
///
/// # Errors
///
/// There is none, or one does not say what it must.
pub(super) fn read(answer: &Value) -> Result<Vec<Rule>, Failure> {
    let groups = answer["groups"].as_array().into_iter().flatten();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    let rules: Vec<Rule> = rules.map(rule).collect::<Result<_, _>>()?;
    if rules.is_empty() {
        return Err("Prometheus has loaded no rules".into());
    }
    Ok(rules)
}

fn rule(rule: &Value) -> Result<Rule, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&rule["name"]);
    for annotation in ANNOTATIONS {
        if text(&rule["annotations"][annotation]).is_empty() {
            return Err(format!("{name} has no {annotation}").into());
        }
    }
    if !SEVERITIES.contains(&text(&rule["labels"]["severity"]).as_str()) {
        return Err(format!("the severity of {name} is none of {SEVERITIES:?}").into());
    }
    Ok(Rule {
        name,
        expression: text(&rule["query"]),
        remedy: text(&rule["annotations"]["remedy"]),
    })
}

impl Rule {
    /// Whether the program knows the commands that the remedy names, and the options of each.
    ///
    /// # Errors
    ///
    /// It names none, or one that is not known.
    pub(super) fn check_remedy(&self, program: &Path) -> Result<(), Failure> {
        let commands = self.remedy.split(COMMAND).skip(1);
        let commands: Vec<&str> = commands.filter_map(|rest| rest.split('`').next()).collect();
        if commands.is_empty() {
            return Err(format!("the remedy of {} names no command", self.name).into());
        }
        for command in commands {
            let (words, options) = parts(command);
            let mut help = Command::new(program);
            help.args(&words).arg("--help").stdin(Stdio::null());
            let help = process::output(&mut help)?;
            if let Some(option) = options.iter().find(|option| !help.contains(**option)) {
                return Err(format!("{}: `{command}` has no {option}", self.name).into());
            }
        }
        Ok(())
    }
}

/// The words of a command up to the first that is no part of its name, and its options.
fn parts(command: &str) -> (Vec<&str>, Vec<&str>) {
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words = command.split(' ');
    let options = words.clone().filter(|word| word.starts_with("--"));
    (words.take_while(is_name).collect(), options.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(severity: &str, remedy: &str) -> Value {
        json!({"groups": [{"rules": [{
            "name": "Down", "query": "up == 0", "labels": {"severity": severity},
            "annotations": {"summary": "a", "description": "b", "remedy": remedy},
        }]}]})
    }

    #[test]
    fn a_rule_says_how_bad_it_is_and_what_to_do() {
        let rules = read(&answer("critical", "wait")).unwrap();
        assert_eq!(
            (rules[0].name.as_str(), rules[0].expression.as_str()),
            ("Down", "up == 0")
        );
        for (severity, remedy, told) in [("loud", "wait", "severity"), ("critical", "", "remedy")] {
            let error = read(&answer(severity, remedy)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(read(&json!({"groups": []})).is_err());
    }

    #[test]
    fn a_command_is_split_into_its_name_and_its_options() {
        assert_eq!(
            parts("login --name NAME --replace"),
            (vec!["login"], vec!["--name", "--replace"])
        );
        assert_eq!(
            parts("accounts test NAME"),
            (vec!["accounts", "test"], vec![])
        );
        assert_eq!(
            parts("chat --model {{ $labels.model }} Hello"),
            (vec!["chat"], vec!["--model"])
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_remedy_that_the_program_does_not_know_is_a_mistake() {
        let with = |remedy: &str| read(&answer("warning", remedy)).unwrap().remove(0);
        // A program whose help is its own arguments.
        let echo = Path::new("/bin/echo");
        with("`kiro-2api login`").check_remedy(echo).unwrap();
        assert!(with("wait").check_remedy(echo).is_err());
        assert!(
            with("`kiro-2api login --nmae X`")
                .check_remedy(echo)
                .is_err()
        );
        assert!(
            with("`kiro-2api login`")
                .check_remedy(Path::new("/bin/false"))
                .is_err()
        );
    }
}
