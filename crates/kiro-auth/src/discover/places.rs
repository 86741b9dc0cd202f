//! Where Kiro's programs keep their logins, on each platform.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::store::{CredentialStore, FileStore};

/// The kinds of system that keep their files in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Linux, and every other system that keeps data under `~/.local/share`.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// The one that this library was compiled for.
    pub fn of_this_build() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// What has to be known of a machine and its user to look for logins. Nothing is taken from the
/// environment; the fields name the variables that a program would fill them from.
///
/// ```
/// use kiro_auth::{Places, Platform};
///
/// let mut places = Places::new(Platform::Linux, Some("/home/ann".into()));
/// places.kiro_cli_database = Some("/srv/kiro/data.sqlite3".into());
/// let paths: Vec<_> = places.list().into_iter().map(|place| place.path).collect();
/// assert_eq!(paths[0].to_str(), Some("/home/ann/.aws/sso/cache/kiro-auth-token.json"));
/// assert_eq!(paths[2].to_str(), Some("/srv/kiro/data.sqlite3"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Places {
    /// The kind of system.
    pub platform: Platform,
    /// The user's home folder; on Windows `%USERPROFILE%`. Without one, as some containers have it, only
    /// the paths that are named by the other fields remain.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`, for Linux: looked into before `~/.local/share`. Relative paths do not count, by
    /// the XDG base directory specification.
    pub xdg_data_home: Option<PathBuf>,
    /// `LOCALAPPDATA`, for Windows. Default: `AppData\Local` in the home folder.
    pub local_app_data: Option<PathBuf>,
    /// `APPDATA`, for Windows. Default: `AppData\Roaming` in the home folder.
    pub app_data: Option<PathBuf>,
    /// `KIROCLI_DB_PATH`, which several tools know: the database of kiro-cli, in place of the usual paths.
    pub kiro_cli_database: Option<PathBuf>,
    /// More files in the form of Kiro's cache, looked at first.
    pub more_files: Vec<PathBuf>,
}

impl Places {
    /// The usual places of a user with this home folder.
    pub fn new(platform: Platform, home: Option<PathBuf>) -> Self {
        Self {
            platform,
            home,
            xdg_data_home: None,
            local_app_data: None,
            app_data: None,
            kiro_cli_database: None,
            more_files: Vec::new(),
        }
    }

    /// Every known place, each once, in the order in which equally good logins are preferred.
    ///
    /// | | Linux | macOS | Windows |
    /// | --- | --- | --- | --- |
    /// | Kiro's IDE | `~/.aws/sso/cache/kiro-auth-token.json` | same | same |
    /// | its twin | `~/.aws/sso/cache/kiro-auth-token-cli.json` | same | same |
    /// | kiro-cli | `~/.local/share/kiro-cli` | `~/Library/Application Support/kiro-cli` | `%LOCALAPPDATA%\Kiro-Cli`, `%APPDATA%\kiro-cli` |
    /// | Amazon Q CLI | `~/.local/share/amazon-q` | `~/Library/Application Support/amazon-q` | `%LOCALAPPDATA%\amazon-q` |
    ///
    /// The two clients call their database `data.sqlite3`.
    ///
    /// Source: the public Amazon Q CLI for its paths and for those of kiro-cli on Linux and macOS; reports
    /// of several gateways for the rest. They disagree about Windows, so both guesses are in the list. The
    /// twin was reported by one.
    pub fn list(&self) -> Vec<Place> {
        let mut list = Vec::new();
        let mut add = |kind, path: PathBuf| {
            if list.iter().all(|known: &Place| known.path != path) {
                list.push(Place { kind, path });
            }
        };
        for path in &self.more_files {
            add(SourceKind::File, path.clone());
        }
        if let Some(cache) = self.in_home(&[".aws", "sso", "cache"]) {
            add(SourceKind::KiroIde, cache.join("kiro-auth-token.json"));
            let twin = cache.join("kiro-auth-token-cli.json");
            add(SourceKind::KiroCliFile, twin);
        }
        let (kiro_cli, amazon_q) = self.client_folders();
        match &self.kiro_cli_database {
            Some(path) => add(SourceKind::KiroCli, path.clone()),
            None => {
                for folder in kiro_cli {
                    add(SourceKind::KiroCli, folder.join(DATABASE));
                }
            }
        }
        for folder in amazon_q {
            add(SourceKind::AmazonQ, folder.join(DATABASE));
        }
        list
    }

    /// The folders of kiro-cli, and those of the Amazon Q CLI.
    fn client_folders(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let in_each = |folders: &[Option<PathBuf>], name: &str| -> Vec<PathBuf> {
            let folders = folders.iter().flatten();
            folders.map(|folder| folder.join(name)).collect()
        };
        if self.platform == Platform::Windows {
            let (local, roaming) = (self.local_app_data.clone(), self.app_data.clone());
            let local = [local.or_else(|| self.in_home(&["AppData", "Local"]))];
            let roaming = [roaming.or_else(|| self.in_home(&["AppData", "Roaming"]))];
            let mut kiro_cli = in_each(&local, "Kiro-Cli");
            kiro_cli.extend(in_each(&roaming, "kiro-cli"));
            return (kiro_cli, in_each(&local, "amazon-q"));
        }
        let folders = match self.platform {
            Platform::MacOs => [None, self.in_home(&["Library", "Application Support"])],
            _ => {
                let xdg = self.xdg_data_home.clone();
                let xdg = xdg.filter(|folder| folder.is_absolute());
                [xdg, self.in_home(&[".local", "share"])]
            }
        };
        (in_each(&folders, "kiro-cli"), in_each(&folders, "amazon-q"))
    }

    fn in_home(&self, names: &[&str]) -> Option<PathBuf> {
        let home = self.home.clone()?;
        Some(names.iter().fold(home, |path, name| path.join(name)))
    }
}

const DATABASE: &str = "data.sqlite3";

/// A file that may hold a login.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Whose it is.
    pub kind: SourceKind,
    /// Where it is.
    pub path: PathBuf,
}

/// The programs that keep logins. Complete: each has its form, and who looks for its logins asks for it by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Kiro's IDE: a JSON file.
    KiroIde,
    /// The twin of that file, which some versions of kiro-cli leave.
    KiroCliFile,
    /// kiro-cli: a SQLite database.
    KiroCli,
    /// The Amazon Q CLI, its predecessor: a SQLite database.
    AmazonQ,
    /// A file in the form of Kiro's cache that was named explicitly.
    File,
}

impl SourceKind {
    /// Whether it is a SQLite database, for which the feature `sqlite` is needed.
    pub fn is_database(self) -> bool {
        match self {
            Self::KiroCli | Self::AmazonQ => true,
            Self::KiroIde | Self::KiroCliFile | Self::File => false,
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KiroIde => "Kiro's IDE",
            Self::KiroCliFile => "kiro-cli, JSON file",
            Self::KiroCli => "kiro-cli",
            Self::AmazonQ => "Amazon Q CLI",
            Self::File => "file",
        })
    }
}

impl Place {
    /// The store of this place. `None` for a database where the feature `sqlite` is off.
    pub fn open(&self) -> Option<Arc<dyn CredentialStore>> {
        if !self.kind.is_database() {
            return Some(Arc::new(FileStore::new(&self.path)));
        }
        #[cfg(feature = "sqlite")]
        return Some(Arc::new(crate::store::KiroCliStore::new(&self.path)));
        #[cfg(not(feature = "sqlite"))]
        return None;
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.kind)
    }
}
