//! From all layers to a configuration that was checked.

use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};

use super::{Config, Source, environment};

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value has the wrong form, or a key is unknown.
    #[error("the configuration is not usable: {0}")]
    Invalid(String),
    /// The file given on the command line is not there.
    #[error("there is no configuration file at {}", .0.display())]
    NoFile(PathBuf),
    /// `.env` cannot be read as one.
    #[error("{}: {reason}", file.display())]
    Dotenv { file: PathBuf, reason: String },
    /// The one key that has no default.
    #[error(
        "PROXY_API_KEY is not set. It is the key that clients must send; choose one of at least 16 characters, for example with `openssl rand -hex 24`, and set it in the environment or in .env, or list keys by their hashes in [[keys]]"
    )]
    NoKey,
}
impl Config {
    /// Reads all layers and checks the result, for a gateway that is to serve.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which names the key and the layer.
    pub(crate) fn load(source: &Source) -> Result<Self, ConfigError> {
        let config = Self::read(source)?;
        match config.has_key() {
            true => Ok(config),
            false => Err(ConfigError::NoKey),
        }
    }

    /// The same for a command that serves nobody, and so needs no key.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) fn read(source: &Source) -> Result<Self, ConfigError> {
        let config: Self = Self::layers(source)?.extract().map_err(explain)?;
        config.check()?;
        Ok(config)
    }

    /// All layers, each value with where it comes from.
    ///
    /// # Errors
    ///
    /// A layer cannot be read.
    pub(crate) fn layers(source: &Source) -> Result<Figment, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = source.file.as_ref().filter(|file| !file.is_file()) {
            return Err(ConfigError::NoFile(file.clone()));
        }
        let default_file = source.default_file.as_ref().filter(|file| file.is_file());
        if let Some(file) = source.file.as_ref().or(default_file) {
            figment = figment.merge(Toml::file_exact(file));
        }
        if let Some(file) = source.dotenv.as_ref().filter(|file| file.is_file()) {
            figment = figment.merge(environment::dotenv(file)?);
        }
        if let Some(name) = source.not_text.first() {
            let reason = format!("the variable {name} of the environment is not text in UTF-8");
            return Err(ConfigError::Invalid(reason));
        }
        if let Some(folder) = source.folder(environment::SECRETS) {
            figment = figment.merge(environment::secrets(&folder)?);
        }
        figment = figment.merge(environment::Layer::of_process(&source.environment));
        if let Some(listen) = source.listen {
            figment = figment.merge(("server.listen", listen.to_string()));
        }
        Ok(figment)
    }
}

/// figment's error with the nearest known key where a key is unknown.
fn explain(error: figment::Error) -> ConfigError {
    let lines: Vec<String> = error
        .into_iter()
        .map(|error| match &error.kind {
            figment::error::Kind::UnknownField(field, known) => {
                let likeness = |name: &&&str| strsim::jaro_winkler(name, field);
                let nearest = known
                    .iter()
                    .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
                let hint =
                    nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                format!("{error}{hint}")
            }
            _ => error.to_string(),
        })
        .collect();
    ConfigError::Invalid(lines.join("; "))
}
