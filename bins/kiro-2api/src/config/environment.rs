//! The environment, `.env` and a folder of secrets as layers of the configuration.
//!
//! Values stay text; the types of [`Config`](super::Config) read numbers, durations and sizes from it.
//! So a key made of digits stays a key.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::ConfigError;

/// Names that work without a prefix: those of the original, so that its `.env` files work unchanged, and
/// those that Kiro's own clients and other tools know.
/// A bare number in a time-out of the original is seconds.
pub(crate) const NAMES: [(&str, &str); 17] = [
    ("PROXY_API_KEY", "proxy_api_key"),
    ("REFRESH_TOKEN", "refresh_token"),
    ("KIRO_CREDS_FILE", "creds_file"),
    ("KIRO_API_KEY", "api_key"),
    ("KIROCLI_DB_PATH", "kiro_cli_database"),
    ("PROFILE_ARN", "profile_arn"),
    ("KIRO_REGION", "upstream.region"),
    ("MAX_RETRIES", "upstream.max_retries"),
    ("FIRST_TOKEN_TIMEOUT", "timeouts.first_event"),
    ("STREAM_READ_TIMEOUT", "timeouts.gap"),
    ("NON_STREAM_TIMEOUT", "timeouts.total"),
    ("SLOW_MODEL_TIMEOUT_MULTIPLIER", "timeouts.multipliers.opus"),
    ("LOG_LEVEL", "log.level"),
    ("RUST_LOG", "log.level"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.otlp_headers"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
];

/// Every other key: `KIRO_2API_SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "KIRO_2API_";

/// One layer of names and values.
pub(super) struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    /// The variables of the process. Where systemd or Docker read them from a file, comments and quotes are part
    /// of the value, which nobody means.
    pub(super) fn of_process(variables: &BTreeMap<String, String>) -> Self {
        let plain = |(name, value): (&String, &String)| (name.clone(), plain(value).to_owned());
        Self::new("the environment", &variables.iter().map(plain).collect())
    }

    /// The variables that mean something to us. Empty ones count as unset, because that is how a
    /// template's `NAME=` is meant.
    fn new(name: &str, variables: &BTreeMap<String, String>) -> Self {
        let mut values = Dict::new();
        for (variable, value) in variables {
            let Some(key) = key_of(variable).filter(|_| !value.trim().is_empty()) else {
                continue;
            };
            insert(&mut values, &key, value.trim());
        }
        Self {
            name: name.to_owned(),
            values,
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// Reads a `.env` file.
pub(super) fn dotenv(file: &Path) -> Result<Layer, ConfigError> {
    let broken = |reason: String| ConfigError::Dotenv {
        file: file.to_owned(),
        reason,
    };
    let lines = dotenvy::from_path_iter(file).map_err(|error| broken(error.to_string()))?;
    let mut variables = BTreeMap::new();
    for line in lines {
        let (name, value) = line.map_err(|error| broken(reason(file, &error)))?;
        variables.insert(name, value);
    }
    Ok(Layer::new(&file.display().to_string(), &variables))
}

/// The variable that names a folder of secrets, one file for each: systemd sets it for what `LoadCredential=` loads;
/// where Docker or Kubernetes mount secrets, a person does.
pub(crate) const SECRETS: &str = "CREDENTIALS_DIRECTORY";

/// The files of a folder of secrets that are named like variables of ours.
pub(super) fn secret_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_ours) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Reads a folder of secrets: the name of a file is that of a variable, and its content the value.
pub(super) fn secrets(folder: &Path) -> Result<Layer, ConfigError> {
    let broken = |place: &Path, error: io::Error| {
        let place = place.display();
        ConfigError::Invalid(format!("{place}, of {SECRETS}, cannot be read: {error}"))
    };
    let files = secret_files(folder).map_err(|error| broken(folder, error))?;
    let mut variables = BTreeMap::new();
    for file in files {
        let value = fs::read_to_string(&file).map_err(|error| broken(&file, error))?;
        let name = file.file_name().and_then(|name| name.to_str());
        variables.insert(name.unwrap_or_default().to_owned(), value);
    }
    Ok(Layer::new(&folder.display().to_string(), &variables))
}

/// dotenvy's own message quotes the value, and the value may be a secret.
fn reason(file: &Path, error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(value, _) = error else {
        return error.to_string();
    };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines().enumerate();
    let place = match lines.find(|(_, line)| line.contains(value.as_str())) {
        Some((number, line)) => {
            let name = line.split('=').next().unwrap_or_default();
            format!("line {}, `{}`,", number + 1, name.trim())
        }
        None => "a line".to_owned(),
    };
    format!(
        "{place} cannot be read; put a value with spaces, quotes or backslashes between single quotes"
    )
}

/// A value without the comment behind it and the quotes around it.
fn plain(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote)
            && let Some((inside, behind)) = rest.split_once(quote)
            && (behind.trim().is_empty() || behind.trim_start().starts_with('#'))
        {
            return inside;
        }
    }
    let comment = value
        .match_indices('#')
        .find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
    comment.map_or(value, |(at, _)| value[..at].trim_end())
}

/// Whether a variable means something to us.
pub(super) fn is_ours(variable: &str) -> bool {
    key_of(variable).is_some()
}

/// The key that a variable sets, if it is one of ours.
pub(super) fn key_of(variable: &str) -> Option<String> {
    if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == variable) {
        return Some((*key).to_owned());
    }
    Some(
        variable
            .strip_prefix(PREFIX)?
            .to_lowercase()
            .replace("__", "."),
    )
}

fn insert(values: &mut Dict, key: &str, text: &str) {
    match key.split_once('.') {
        None => {
            values.insert(key.to_owned(), Value::from(text));
        }
        Some((table, rest)) => {
            let table = values
                .entry(table.to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = table {
                insert(inner, rest, text);
            }
        }
    }
}
