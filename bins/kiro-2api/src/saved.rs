//! Accounts that `kiro-2api login` and `kiro-2api accounts` have saved, beside those of the configuration.
//!
//! ```text
//! ~/.local/state/kiro-2api/
//!   accounts.json          which there are: [{"name": "work", "file": "…/accounts/work.json"}, …]
//!   accounts/work.json     a login of our own, in the form of Kiro's cache
//! ```
//!
//! A login of another program is not copied but named: two copies of one refresh token use each other up.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use kiro_auth::{Credential, CredentialStore as _, FileStore, replace_file};
use serde::{Deserialize, Serialize};

use crate::command::Failure;
use crate::config::{Account, Config};
use crate::state;

/// The accounts of one state folder.
#[derive(Debug)]
pub(crate) struct Saved {
    folder: PathBuf,
    /// Names that accounts of the configuration have.
    configured: Vec<String>,
}

/// One of them, without a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The file of the login, which may be another program's.
    pub(crate) file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile_arn: Option<String>,
    /// How often another login has taken the name: a gateway that runs must not go on with the one before.
    #[serde(skip_serializing_if = "is_first")]
    pub(crate) generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_first(generation: &u64) -> bool {
    *generation == 0
}

impl Entry {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// Longest name of an account; it becomes the name of a file.
const MAX_NAME: usize = 64;

/// Why an account could not be saved, found or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SavedError {
    #[error("there is no home folder to keep accounts in; set KIRO_2API_STORE__PATH to a folder")]
    NoFolder,
    #[error(
        "`{0}` cannot be the name of an account: letters, digits, `-`, `_` and `.`, at most 64 of them, the first a letter or a digit"
    )]
    BadName(String),
    #[error(
        "there is an account `{0}` already: sign in to it again with --replace, or give another --name"
    )]
    Taken(String),
    #[error(
        "there is an account `{known}` already, whose file `{name}` would have on systems that take both for one: give another --name"
    )]
    Alike { name: String, known: String },
    #[error("the configuration has an account `{0}` already: give another --name")]
    Configured(String),
    #[error("the list of saved accounts, {}, cannot be understood: correct or remove it", file.display())]
    Damaged {
        file: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} cannot be {done}", path.display())]
    Io {
        done: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// Puts what was saved beside what is configured. A list that cannot be read costs its accounts and not the
/// service, as with all of the state folder: the log says so.
///
/// # Errors
///
/// The list is damaged.
pub(crate) fn join(config: &mut Config) -> Result<(), SavedError> {
    let Ok(saved) = Saved::of(config) else {
        return Ok(());
    };
    let entries = match saved.entries() {
        Err(error @ SavedError::Io { .. }) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "saved accounts are not used: make their list readable, or set KIRO_2API_STORE__PATH to \
                 another folder"
            );
            return Ok(());
        }
        entries => entries?,
    };
    let accounts = entries.into_iter().map(|entry| Account {
        name: entry.name,
        file: Some(entry.file),
        region: entry.region,
        profile_arn: entry.profile_arn,
        is_saved: true,
        generation: entry.generation,
        ..Account::default()
    });
    config.saved = accounts.collect();
    Ok(())
}

impl Saved {
    pub(crate) fn of(config: &Config) -> Result<Self, SavedError> {
        let folder = state::folder(&config.store).ok_or(SavedError::NoFolder)?;
        let accounts = config.accounts().filter(|account| !account.is_saved);
        Ok(Self {
            folder,
            configured: accounts.map(|account| account.name).collect(),
        })
    }

    /// The file that changes whenever an account comes or goes.
    pub(crate) fn list(&self) -> PathBuf {
        self.folder.join("accounts.json")
    }

    /// In the order in which they were saved.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, SavedError> {
        let file = self.list();
        let is_absent = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        };
        let text = match fs::read(&file) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            read => read.map_err(failed("read", &file))?,
        };
        serde_json::from_slice(&text).map_err(|source| SavedError::Damaged { file, source })
    }

    /// Whether the name can be given to one more account, or to this one again.
    pub(crate) fn check(&self, name: &str, replace: bool) -> Result<(), SavedError> {
        let mut characters = name.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let rest = characters.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !first || !rest || name.len() > MAX_NAME {
            return Err(SavedError::BadName(name.to_owned()));
        }
        let is_alike = |known: &str| known.eq_ignore_ascii_case(name);
        if let Some(known) = self.configured.iter().find(|known| is_alike(known)) {
            return Err(SavedError::Configured(known.clone()));
        }
        let entries = self.entries()?;
        if entries.iter().any(|entry| entry.name == name) {
            return match replace {
                true => Ok(()),
                false => Err(SavedError::Taken(name.to_owned())),
            };
        }
        match entries.into_iter().find(|entry| is_alike(&entry.name)) {
            None => Ok(()),
            Some(entry) => Err(SavedError::Alike {
                name: name.to_owned(),
                known: entry.name,
            }),
        }
    }

    /// Keeps a login in a file of our own; gives the file.
    ///
    /// # Errors
    ///
    /// [`SavedError`], and those of [`FileStore`].
    pub(crate) async fn keep(
        &self,
        entry: Entry,
        credential: &Credential,
        replace: bool,
    ) -> Result<PathBuf, Failure> {
        let name = &entry.name;
        self.check(name, replace)?;
        let logins = self.logins();
        create_private(&logins).map_err(failed("made", &logins))?;
        let file = logins.join(format!("{name}.json"));
        // A gateway that refreshes the old login would write over the new one.
        let claim = FileStore::new(&file).claim().await?;
        // A store keeps what it does not know of a file that exists, and this login shall stand alone.
        let fresh = Fresh(logins.join(format!(".{name}.{}.new", std::process::id())));
        FileStore::new(&fresh.0).save(credential).await?;
        fs::rename(&fresh.0, &file).map_err(failed("written", &file))?;
        drop(claim);
        self.name(Entry {
            file: file.clone(),
            ..entry
        })?;
        Ok(file)
    }

    /// Remembers an account, in place of the one that had the name.
    pub(crate) fn name(&self, mut entry: Entry) -> Result<(), SavedError> {
        self.change(|entries| {
            let before = entries.iter().find(|known| known.name == entry.name);
            entry.generation = before.map_or(0, |before| before.generation + 1);
            entries.retain(|known| known.name != entry.name);
            entries.push(entry);
        })
    }

    /// Forgets an account, and its file if that is our own. Gives what it was.
    ///
    /// # Errors
    ///
    /// [`SavedError`], and those of [`FileStore`].
    pub(crate) async fn remove(&self, name: &str) -> Result<Option<Entry>, Failure> {
        let entries = self.entries()?;
        let Some(entry) = entries.into_iter().find(|entry| entry.name == name) else {
            return Ok(None);
        };
        // A gateway that refreshes the login would put its file back.
        let _claim = match self.owns(&entry) {
            true => Some(FileStore::new(&entry.file).claim().await?),
            false => None,
        };
        let mut removed = None;
        self.change(|entries| {
            let at = entries.iter().position(|entry| entry.name == name);
            removed = at.map(|at| entries.remove(at));
        })?;
        if let Some(entry) = removed.as_ref().filter(|entry| self.owns(entry)) {
            match fs::remove_file(&entry.file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("removed", &entry.file)(error).into());
                }
                _ => {}
            }
        }
        Ok(removed)
    }

    /// Whether the file of an account is ours alone.
    pub(crate) fn owns(&self, entry: &Entry) -> bool {
        entry.file.parent() == Some(&*self.logins())
    }

    fn logins(&self) -> PathBuf {
        self.folder.join("accounts")
    }

    /// Reads, changes and replaces the list, one process at a time.
    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) -> Result<(), SavedError> {
        create_private(&self.folder).map_err(failed("made", &self.folder))?;
        let lock = self.folder.join(".accounts.lock");
        let held = File::create(&lock).map_err(failed("written", &lock))?;
        held.lock().map_err(failed("locked", &lock))?;
        let mut entries = self.entries()?;
        change(&mut entries);
        let file = self.list();
        // A list of structs of strings always serializes.
        let text = serde_json::to_string_pretty(&entries).unwrap_or_default();
        replace_file(&file, &text).map_err(failed("written", &file))
    }
}

/// A file on its way to another name. Whoever is interrupted before leaves none.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        // It has another name, as a rule.
        let _ = fs::remove_file(&self.0);
    }
}

fn failed(done: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SavedError {
    let path = path.to_owned();
    move |source| SavedError::Io { done, path, source }
}

/// A folder that only its owner can look into.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::time::Duration;

    use kiro_auth::Claim;

    use super::*;

    fn at(folder: PathBuf) -> Saved {
        Saved {
            folder,
            configured: Vec::new(),
        }
    }

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            file: format!("/elsewhere/{name}.json").into(),
            ..Entry::default()
        }
    }

    #[test]
    fn names_become_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let saved = at(folder.path().join("new"));
        for name in ["work", "ann-2", "a.b_c", &"a".repeat(MAX_NAME)] {
            assert!(saved.check(name, false).is_ok(), "{name}");
        }
        for name in ["", ".hidden", "../up", "a/b", "a b", "é", &"a".repeat(65)] {
            assert!(saved.check(name, false).is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn what_was_saved_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let saved = at(folder.path().join("new"));
        assert_eq!(saved.entries().unwrap(), []);
        saved.name(entry("one")).unwrap();
        saved.name(entry("two")).unwrap();
        assert_eq!(saved.entries().unwrap(), [entry("one"), entry("two")]);
        assert!(matches!(
            saved.check("one", false),
            Err(SavedError::Taken(_))
        ));
        assert!(saved.check("one", true).is_ok());
        saved.name(entry("one")).unwrap();
        let replaced = saved.entries().unwrap().pop().unwrap();
        assert_ne!(replaced, entry("one"), "a gateway that runs sees another");
        assert_eq!(saved.remove("one").await.unwrap(), Some(replaced));
        assert_eq!(saved.remove("one").await.unwrap(), None);
        assert_eq!(saved.entries().unwrap(), [entry("two")]);
        fs::write(folder.path().join("file"), "").unwrap();
        let taken = at(folder.path().join("file"));
        assert_eq!(taken.entries().unwrap(), []);
        assert!(taken.name(entry("one")).is_err());
        fs::write(saved.list(), "[{").unwrap();
        assert!(matches!(saved.entries(), Err(SavedError::Damaged { .. })));
    }

    #[test]
    fn names_that_differ_by_case_alone_are_refused_and_so_are_configured_ones() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved {
            configured: vec!["Team".to_owned()],
            ..at(folder.path().to_owned())
        };
        saved.name(entry("Work")).unwrap();
        for replace in [false, true] {
            let alike = saved.check("work", replace).unwrap_err().to_string();
            assert!(alike.contains("`Work`") && alike.contains("`work`"));
            for name in ["Team", "team"] {
                let refused = saved.check(name, replace).unwrap_err().to_string();
                assert!(refused.contains("the configuration has"), "{refused}");
            }
        }
        assert!(saved.check("Work", true).is_ok());
    }

    /// A folder with a login of our own, and the claim that a gateway has to it.
    async fn claimed(folder: &Path) -> (Saved, Entry, Claim) {
        let saved = at(folder.to_owned());
        let key = Credential::from_api_key("ksk_0123456789abcdef").unwrap();
        saved.keep(entry("work"), &key, false).await.unwrap();
        let entry = saved.entries().unwrap().pop().unwrap();
        let claim = FileStore::new(&entry.file).claim().await.unwrap();
        (saved, entry, claim)
    }

    /// Waits in vain: nothing happens within a few looks at the lock.
    async fn waits<F: Future>(mut future: Pin<&mut F>) {
        let short = Duration::from_millis(100);
        let early = tokio::time::timeout(short, future.as_mut()).await;
        assert!(early.is_err(), "somebody has the claim");
    }

    #[tokio::test]
    async fn who_is_interrupted_while_a_login_is_refreshed_leaves_no_copy_of_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (saved, _, claim) = claimed(folder.path()).await;
        let key = Credential::from_api_key("ksk_fedcba9876543210").unwrap();
        {
            let replacing = pin!(saved.keep(entry("work"), &key, true));
            waits(replacing).await;
        }
        let files = fs::read_dir(saved.logins()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, ["work.json"]);
        drop(claim);
        saved.keep(entry("work"), &key, true).await.unwrap();
        assert_eq!(fs::read_dir(saved.logins()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_login_is_removed_when_nobody_refreshes_it() {
        let folder = tempfile::tempdir().unwrap();
        let (saved, entry, claim) = claimed(folder.path()).await;
        let mut removing = pin!(saved.remove("work"));
        waits(removing.as_mut()).await;
        assert!(entry.file.exists());
        drop(claim);
        assert_eq!(removing.await.unwrap().as_ref(), Some(&entry));
        assert!(!entry.file.exists());
    }
}
