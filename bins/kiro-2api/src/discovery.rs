//! Looking for the logins of this machine's user, where none is configured.

use std::sync::Arc;

use kiro_auth::{
    Clock as _, CredentialStore, Discovery, Find, PlaceState, Places, Platform, SystemClock,
    discover,
};

use crate::config::{Config, Source};
use crate::setup::home;

/// What was found, and whether it may be used.
pub(crate) struct Search {
    discovery: Discovery,
    may_use: bool,
}

impl Search {
    /// Looks where Kiro's programs keep their logins. `None` where a login is configured.
    pub(crate) async fn run(source: &Source, config: &Config) -> Option<Self> {
        if config.accounts().next().is_some() {
            return None;
        }
        let places = places(source, config);
        Some(Self {
            discovery: discover(&places, SystemClock.now()).await,
            may_use: config.discover,
        })
    }

    /// The login to serve with.
    pub(crate) fn store(&self) -> Option<Arc<dyn CredentialStore>> {
        self.used()?.place.open()
    }

    /// What was found.
    pub(crate) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The login to serve with, and where it is.
    pub(crate) fn used(&self) -> Option<&Find> {
        self.discovery.chosen().filter(|_| self.may_use)
    }

    /// What the operator should know about it; empty when there is nothing to say.
    pub(crate) fn message(&self) -> String {
        let list = |finds: Vec<&Find>| -> String {
            finds.iter().map(|find| format!("\n  {find}")).collect()
        };
        match (self.used(), self.discovery.reason()) {
            (Some(used), Some(reason)) => {
                let mut text = format!(
                    "Serving with the login that was found: {used}.\nIt was chosen because {reason}."
                );
                let others = self.discovery.finds().iter().filter(|find| {
                    find.place != used.place && !matches!(find.state, PlaceState::Absent)
                });
                let others = list(others.collect());
                if !others.is_empty() {
                    text += &format!(" Also found:{others}");
                }
                text
            }
            _ if self.may_use => {
                let report = self.discovery.to_string().replace('\n', "\n  ");
                format!("No login was found that could be used:\n  {report}")
            }
            (_, Some(_)) => format!(
                "This machine has logins that are not used:{}\nTo let everybody who has the key use the best of them, set KIRO_2API_DISCOVER=true.",
                list(self.discovery.logins().collect())
            ),
            _ => String::new(),
        }
    }
}

/// Where to look.
pub(crate) fn places(source: &Source, config: &Config) -> Places {
    let user = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let mut places = Places::new(Platform::of_this_build(), user);
    places.xdg_data_home = source.folder("XDG_DATA_HOME");
    places.local_app_data = source.folder("LOCALAPPDATA");
    places.app_data = source.folder("APPDATA");
    places.kiro_cli_database = config.kiro_cli_database.as_deref().map(home);
    places
}
