//! `kiro-2api check`: what the configuration comes to, and where each value is from.

use figment::Figment;
use figment::value::Value as Written;
use serde_json::{Value, json};

use super::{ConfigFile, Failure};
use crate::config::{Config, Source};
use crate::present::{say, say_json, table};
use crate::{saved, setup};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Only what is not the default
    #[arg(long)]
    changed: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Layers, the later ones winning: defaults, kiro-2api.toml, .env, files of CREDENTIALS_DIRECTORY, the environment. Secrets
are not shown. The exit code is 1 when `serve` would not start with it.

Examples:
  kiro-2api check --changed
  kiro-2api check --config /etc/kiro-2api.toml --json | jq '.settings[\"server.listen\"]'";

/// One value in force.
struct Setting {
    key: String,
    value: Value,
    origin: String,
}

/// What stands where a secret is.
const HIDDEN: &str = "(hidden)";

const DEFAULT: &str = "default";

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let source = arguments.file.source();
    let layers = Config::layers(&source)?;
    let mut config = Config::read(&source)?;
    let mut settings = settings(&source, &layers, &config)?;
    settings.retain(|setting| !arguments.changed || setting.origin != DEFAULT);
    saved::join(&mut config)?;
    if arguments.json {
        let settings = settings.iter().map(|setting| {
            let shown = json!({"value": setting.value, "origin": setting.origin});
            (setting.key.clone(), shown)
        });
        let problem = problem(&source, &config).map(|error| error.to_string());
        say_json(&json!({
            "ok": problem.is_none(),
            "problem": problem,
            "settings": settings.collect::<serde_json::Map<_, _>>(),
            "saved_accounts": config.saved.iter().map(|account| &account.name).collect::<Vec<_>>(),
        }))?;
    } else {
        let rows: Vec<[String; 3]> = settings.iter().map(Setting::row).collect();
        say(table(["KEY", "VALUE", "FROM"], &rows));
        for account in &config.saved {
            say(format_args!("saved account `{}`", account.name));
        }
    }
    match problem(&source, &config) {
        Some(problem) => Err(problem),
        None if arguments.json => Ok(()),
        None => {
            say("\nThe configuration is all right.");
            Ok(())
        }
    }
}

/// Why `serve` would not start.
fn problem(source: &Source, config: &Config) -> Option<Failure> {
    if let Err(error) = Config::load(source) {
        return Some(error.into());
    }
    setup::check(config).err()
}

fn settings(source: &Source, layers: &Figment, config: &Config) -> Result<Vec<Setting>, Failure> {
    let shown = serde_json::to_value(config)?;
    let written: Written = layers.extract()?;
    let mut settings = Vec::new();
    let walk = Walk { source, layers };
    walk.each("", &shown, Some(&written), &mut settings);
    Ok(settings)
}

struct Walk<'a> {
    source: &'a Source,
    layers: &'a Figment,
}

impl Walk<'_> {
    /// Walks the configuration as it is understood beside the one that was written. A secret is what is
    /// understood to be nothing although something is written.
    fn each(&self, key: &str, shown: &Value, written: Option<&Written>, into: &mut Vec<Setting>) {
        let below = |name: &str| match key.is_empty() {
            true => name.to_owned(),
            false => format!("{key}.{name}"),
        };
        match (shown, written) {
            (Value::Object(members), written) => {
                let written = written.and_then(Written::as_dict);
                for (name, shown) in members {
                    let written = written.and_then(|members| members.get(name));
                    self.each(&below(name), shown, written, into);
                }
            }
            (Value::Array(items), Some(Written::Array(_, written))) => {
                for (n, shown) in items.iter().enumerate() {
                    self.each(&format!("{key}[{n}]"), shown, written.get(n), into);
                }
            }
            (Value::Null, Some(Written::Empty(..)) | None) if key.contains('[') => {}
            _ => into.push(Setting {
                key: key.to_owned(),
                value: value(shown, written),
                origin: self.origin(key, written),
            }),
        }
    }

    fn origin(&self, key: &str, written: Option<&Written>) -> String {
        let metadata = written.and_then(|written| self.layers.get_metadata(written.tag()));
        let Some(metadata) = metadata else {
            return DEFAULT.to_owned();
        };
        let is_default = metadata.name.contains(std::any::type_name::<Config>());
        match (&metadata.source, self.source.variable_of(key)) {
            _ if is_default => DEFAULT.to_owned(),
            (Some(figment::Source::File(file)), _) => file.display().to_string(),
            (_, Some(variable)) if metadata.name == "the environment" => variable.to_owned(),
            _ => metadata.name.to_string(),
        }
    }
}

fn value(shown: &Value, written: Option<&Written>) -> Value {
    let is_set = written.is_some_and(|written| !matches!(written, Written::Empty(..)));
    match shown.is_null() && is_set {
        true => HIDDEN.into(),
        false => shown.clone(),
    }
}

impl Setting {
    fn row(&self) -> [String; 3] {
        let value = match &self.value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        [self.key.clone(), value, self.origin.clone()]
    }
}
