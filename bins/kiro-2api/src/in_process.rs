//! The gateway inside a command, without a port: the same accounts, the same way to the service.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use kiro_auth::{CredentialStore, Pool, Secret};
use kiro_gateway::{Body, Gateway};
use serde_json::Value;

use crate::accounts::{Accounts, Member};
use crate::command::Failure;
use crate::config::{Config, Log, Source};
use crate::discovery::Search;
use crate::{logging, saved, setup};

/// The configured accounts, opened for one command.
pub(crate) struct InProcess {
    config: Config,
    accounts: Accounts,
    found: Option<Arc<dyn CredentialStore>>,
    search: Option<Search>,
    key: Secret,
}

/// A gateway and the key that it takes.
pub(crate) struct Own {
    gateway: Gateway,
    key: Secret,
}

/// There is nobody to ask as.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAccount {
    #[error("there is no account: sign in with `kiro-2api login`{0}")]
    AtAll(String),
    #[error("there is no account `{name}`; there {is_are} {known}")]
    Named {
        name: String,
        is_are: &'static str,
        known: String,
    },
}

/// The configuration with what was saved beside it, for a command that serves nobody.
pub(crate) fn configuration(source: &Source) -> Result<Config, Failure> {
    let mut config = Config::read(source)?;
    saved::join(&mut config)?;
    Ok(config)
}

/// Logs what went wrong, and more where the environment asks for it: an answer is what the user is here for.
pub(crate) fn log_little(source: &Source) {
    log_at(source, "error");
}

/// Logs at this level, or at the one that the environment asks for.
pub(crate) fn log_at(source: &Source, level: &str) {
    let asked_for = ["RUST_LOG", "LOG_LEVEL"].map(|name| source.variable(name));
    let level = asked_for.into_iter().flatten().next().unwrap_or(level);
    let log = Log {
        level: level.to_owned(),
        ..Log::default()
    };
    logging::init(&log, &Arc::default());
}

impl InProcess {
    /// Opens the accounts that `serve` would serve with.
    pub(crate) async fn open(source: &Source, mut config: Config) -> Result<Self, Failure> {
        // Nobody but the command calls, so nobody has to be kept out or slowed down.
        let key = Secret::new(uuid::Uuid::new_v4().to_string());
        config.proxy_api_key = Some(key.clone());
        config.keys.clear();
        config.limits = Config::default().limits;
        // Nor does anybody wait for a warning.
        config.quota.warn_below = 0.0;
        let search = Search::run(source, &config).await;
        let found = search.as_ref().and_then(Search::store);
        let accounts = setup::accounts(&config, found.clone())?;
        Ok(Self {
            config,
            accounts,
            found,
            search,
            key,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The accounts, in the order of the configuration.
    pub(crate) fn members(&self) -> &[Member] {
        self.accounts.members()
    }

    /// All accounts, or the one of this name.
    ///
    /// # Errors
    ///
    /// [`NoAccount`].
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Vec<Member>, NoAccount> {
        let members = self.members();
        if members.is_empty() {
            return Err(NoAccount::AtAll(self.unused()));
        }
        let Some(name) = name else {
            return Ok(members.to_vec());
        };
        let named = members.iter().filter(|member| member.name() == name);
        let named: Vec<Member> = named.cloned().collect();
        if named.is_empty() {
            let known: Vec<&str> = members.iter().map(Member::name).collect();
            return Err(NoAccount::Named {
                name: name.to_owned(),
                is_are: if known.len() == 1 { "is" } else { "are" },
                known: known.join(", "),
            });
        }
        Ok(named)
    }

    /// A gateway whose own accounts are these.
    pub(crate) fn gateway(&mut self, members: &[Member]) -> Result<Own, Failure> {
        let sources = members.iter().map(|member| member.source().clone());
        let pool = Pool::new(sources.collect());
        let found = self.found.clone();
        let gateway = setup::gateway_of(&self.config, &mut self.accounts, found, pool)?;
        Ok(Own {
            gateway,
            key: self.key.clone(),
        })
    }

    /// What is said about logins that are there and not used.
    fn unused(&self) -> String {
        let discovery = self.search.as_ref().map(Search::discovery);
        match discovery.and_then(|discovery| discovery.chosen()) {
            Some(find) => format!(
                ", or use the login in {} by KIRO_2API_DISCOVER=true",
                find.place
            ),
            None => String::new(),
        }
    }
}

impl Own {
    /// Asks one of the gateway's routes.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Body>, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.key.expose()),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        // On the heap, since it is large and within futures of ours.
        Ok(Box::pin(self.gateway.handle(request)).await)
    }

    /// The same, with the whole answer as JSON.
    ///
    /// # Errors
    ///
    /// What the gateway says in an answer that is no success.
    pub(crate) async fn document(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let response = self.ask(method, path, body).await?;
        let status = response.status();
        let text = response.into_body().collect().await;
        let text = text.map_err(|error| error.to_string())?.to_bytes();
        let document: Value = serde_json::from_slice(&text)?;
        match status.is_success() {
            true => Ok(document),
            false => Err(error_text(&document).into()),
        }
    }
}

/// The message of an answer that tells of an error.
pub(crate) fn error_text(document: &Value) -> String {
    let message = document.pointer("/error/message").and_then(Value::as_str);
    message.map_or_else(|| document.to_string(), str::to_owned)
}
