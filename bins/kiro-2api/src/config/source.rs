//! Where the configuration is read from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::environment;

/// The files, the environment and the flags of a process.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Given with `--config`: must exist.
    pub(super) file: Option<PathBuf>,
    /// Read when they exist.
    pub(super) default_file: Option<PathBuf>,
    pub(super) dotenv: Option<PathBuf>,
    pub(super) environment: BTreeMap<String, String>,
    /// Variables of ours that are not UTF-8.
    pub(super) not_text: Vec<String>,
    pub(super) listen: Option<SocketAddr>,
}

impl Source {
    /// A folder that the environment names.
    pub(crate) fn folder(&self, variable: &str) -> Option<PathBuf> {
        let folder = self.environment.get(variable);
        folder
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
    }

    /// A variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// The variable of the environment that sets a key.
    pub(crate) fn variable_of(&self, key: &str) -> Option<&str> {
        let mut set = self.environment.iter();
        let is_it = |name: &str| environment::key_of(name).is_some_and(|of| of == key);
        let (name, _) = set.find(|(name, value)| is_it(name) && !value.trim().is_empty())?;
        Some(name)
    }

    /// The files that are read, whether they exist or not.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let file = self.file.as_ref().or(self.default_file.as_ref());
        let secrets = self.folder(environment::SECRETS);
        let secrets = secrets.and_then(|folder| environment::secret_files(&folder).ok());
        let files = file.into_iter().chain(&self.dotenv).cloned();
        files.chain(secrets.into_iter().flatten())
    }

    /// What this process was started with.
    pub(crate) fn of_process(file: Option<PathBuf>, listen: Option<SocketAddr>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        let variables = std::env::vars_os();
        let mut source = Self {
            file,
            default_file: Some("kiro-2api.toml".into()),
            dotenv: Some(".env".into()),
            listen,
            ..Self::default()
        };
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            match value.into_string() {
                Ok(value) => drop(source.environment.insert(name.to_owned(), value)),
                Err(_) if environment::is_ours(name) => source.not_text.push(name.to_owned()),
                Err(_) => {}
            }
        }
        source
    }
}
