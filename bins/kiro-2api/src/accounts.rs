//! The gateway's own accounts, and where tokens are kept, over all changes of the configuration.
//!
//! An account that stays as it is keeps its source: what is known of it stays known, and a refresh that is
//! under way is not repeated.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiro_auth::{
    Credential, CredentialId, CredentialStore, FileStore, HttpRefresher, KiroCliStore, Overrides,
    Pool, Refresher, SystemClock, TokenSource,
};
use kiro_gateway::{MakePool, ProcessState};
use kiro_protocol::request::Region;

use crate::behind::Behind;
use crate::command::Failure;
use crate::config::{Account, Config, Origin, Store};
use crate::refresher::Renewable;
use crate::setup::home;
use crate::state::State;

/// What outlives a change of the configuration.
pub(crate) struct Accounts {
    state: Arc<State>,
    refresher: Arc<Renewable>,
    /// What was opened once stays open: to open and close a file of SQLite takes away the locks that the same
    /// process has on it.
    opened: HashMap<PathBuf, Arc<dyn CredentialStore>>,
    in_force: Own,
}

/// The accounts of one configuration.
#[derive(Default)]
pub(crate) struct Own {
    members: Vec<Member>,
    /// `None` where there is no account.
    pub(crate) pool: Option<Pool>,
}

/// One account, ready for use.
#[derive(Clone)]
pub(crate) struct Member {
    described: Described,
    store: Arc<dyn CredentialStore>,
    source: TokenSource,
}

/// All that makes one source different from another.
#[derive(Clone, PartialEq, Eq)]
struct Described {
    account: Account,
    default_region: Option<String>,
    /// The login that was found on the machine.
    found: Option<CredentialId>,
}

impl Accounts {
    /// Opens the place where tokens are kept. Refreshes are counted in `process`.
    ///
    /// # Errors
    ///
    /// As [`State::open`].
    pub(crate) fn open(
        store: &Store,
        refresher: HttpRefresher,
        process: Arc<ProcessState>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            state: Arc::new(State::open(store)?),
            refresher: Arc::new(Renewable::new(refresher, process)),
            opened: HashMap::new(),
            in_force: Own::default(),
        })
    }

    /// The accounts of a configuration, with one more login if one was found.
    pub(crate) fn of(
        &mut self,
        config: &Config,
        found: Option<Arc<dyn CredentialStore>>,
    ) -> Result<Own, Failure> {
        let mut members = Vec::new();
        for account in config.accounts() {
            let described = Described::new(account, config);
            let member = match self.known(&described) {
                Some(member) => member,
                None => {
                    let store = self.store(&described.account)?;
                    self.member(described, store)?
                }
            };
            members.push(member);
        }
        if let Some(found) = found {
            let account = Account {
                profile_arn: config.profile_arn.clone(),
                ..Account::default()
            };
            let mut described = Described::new(account, config);
            described.found = Some(found.id());
            members.push(match self.known(&described) {
                Some(member) => member,
                None => self.member(described, behind(found, &self.state))?,
            });
        }
        let sources = members.iter().map(|member| member.source.clone());
        let sources: Vec<_> = sources.collect();
        let pool = (!sources.is_empty()).then(|| match &self.in_force.pool {
            Some(pool) => pool.succeed(sources),
            None => Pool::new(sources),
        });
        Ok(Own { members, pool })
    }

    /// Makes the pool of a caller who brings a credential.
    pub(crate) fn make_pool(&self) -> MakePool {
        let (state, refresher) = (self.state.clone(), self.refresher.clone());
        Box::new(move |sent: Credential| {
            let store = state.store(sent);
            Pool::new(vec![token_source(store, &refresher, Overrides::default())])
        })
    }

    /// From here on these are the accounts, and this is how they are refreshed.
    pub(crate) fn put_in_force(&mut self, own: Own, refresher: HttpRefresher) {
        self.in_force = own;
        self.refresher.renew(refresher);
    }

    /// The accounts in force.
    pub(crate) fn members(&self) -> &[Member] {
        &self.in_force.members
    }

    fn known(&self, described: &Described) -> Option<Member> {
        let mut members = self.members().iter();
        members.find(|known| known.described == *described).cloned()
    }

    /// Where the credential of an account is kept.
    fn store(&mut self, account: &Account) -> Result<Arc<dyn CredentialStore>, Failure> {
        let credential = match account.origin() {
            Some(Origin::File(file)) => return Ok(self.opened(home(file), file_store)),
            Some(Origin::KiroCli(file)) => {
                let database =
                    |file: &Path| -> Arc<dyn CredentialStore> { Arc::new(KiroCliStore::new(file)) };
                return Ok(self.opened(home(file), database));
            }
            Some(Origin::RefreshToken(token)) => Credential::from_refresh_token(token.clone()),
            Some(Origin::ApiKey(key)) => Credential::from_api_key(key.clone()),
            // `Config::load` has refused an account without any.
            None => return Err(format!("the account `{}` has no credential", account.name).into()),
        };
        let name = account.name.clone();
        let credential = credential.map_err(|source| BadAccount { name, source })?;
        Ok(self.state.store(credential))
    }

    fn opened(
        &mut self,
        file: PathBuf,
        open: impl FnOnce(&Path) -> Arc<dyn CredentialStore>,
    ) -> Arc<dyn CredentialStore> {
        let store = self
            .opened
            .entry(file)
            .or_insert_with_key(|file| open(file));
        behind(store.clone(), &self.state)
    }

    fn member(
        &self,
        described: Described,
        store: Arc<dyn CredentialStore>,
    ) -> Result<Member, Failure> {
        let account = &described.account;
        if let Some(region) = &account.region {
            // A region becomes a part of a host name.
            Region::new(region)?;
        }
        let mut overrides = Overrides::default();
        overrides.api_region = account.region.clone();
        overrides.default_api_region = described.default_region.clone();
        overrides.profile_arn = account.profile_arn.clone();
        Ok(Member {
            source: token_source(store.clone(), &self.refresher, overrides),
            store,
            described,
        })
    }
}

impl Own {
    /// What each account is configured with, and the name of its credential.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Account, CredentialId)> {
        let members = self.members.iter();
        members.map(|member| (&member.described.account, member.source.id()))
    }
}

impl Member {
    /// What it is called; the login that was found on the machine has no name.
    pub(crate) fn name(&self) -> &str {
        match self.described.found {
            Some(_) => "found",
            None => &self.described.account.name,
        }
    }

    /// How it is configured.
    pub(crate) fn account(&self) -> &Account {
        &self.described.account
    }

    /// Where its credential is kept.
    pub(crate) fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.store
    }

    /// Its access tokens.
    pub(crate) fn source(&self) -> &TokenSource {
        &self.source
    }
}

impl Described {
    fn new(account: Account, config: &Config) -> Self {
        Self {
            account,
            default_region: config.upstream.region.clone(),
            found: None,
        }
    }
}

/// The source with the state behind it, in case that it is read-only.
fn behind(source: Arc<dyn CredentialStore>, state: &Arc<State>) -> Arc<dyn CredentialStore> {
    Arc::new(Behind::new(source, Arc::clone(state)))
}

/// A JSON file or a database of kiro-cli, told apart by what the file begins with; where there is none
/// yet, by its name.
///
/// It opens and closes the file, so it is done once, before the first credential is read.
pub(crate) fn file_store(path: &Path) -> Arc<dyn CredentialStore> {
    const DATABASE: &[u8; 16] = b"SQLite format 3\0";
    let mut start = [0; DATABASE.len()];
    let is_database = match File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) => start == *DATABASE,
        Err(_) => path.extension().is_some_and(|name| name == "sqlite3"),
    };
    if is_database {
        Arc::new(KiroCliStore::new(path))
    } else {
        Arc::new(FileStore::new(path))
    }
}

fn token_source(
    store: Arc<dyn CredentialStore>,
    refresher: &Arc<Renewable>,
    overrides: Overrides,
) -> TokenSource {
    let refresher: Arc<dyn Refresher> = refresher.clone();
    TokenSource::with_overrides(store, refresher, Arc::new(SystemClock), overrides)
}

/// The credential of an account makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the account `{name}` cannot be used")]
struct BadAccount {
    name: String,
    source: kiro_auth::AuthError,
}
