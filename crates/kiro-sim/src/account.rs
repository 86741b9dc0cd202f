//! Accounts and their tokens: issued, refreshed, rotated, expired, revoked.
//!
//! Time comes in as an argument, so that a timeline can be tested without waiting.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::random::Random;
use crate::sign_in::SignInService;
use crate::validate::{BUILDER_ID_PROFILE_ARN, SOCIAL_PROFILE_ARN};
use crate::{CredentialKind, Rotation};

/// The simulator's name for an account. It survives every rotation of the account's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account-{}", self.0)
    }
}

/// What a person who signed in holds. All values are invented; shapes and lengths are real.
///
/// As JSON, in camel case with absent members left out:
///
/// ```json
/// {"account": 1, "kind": "social", "accessToken": "aoa…:…", "refreshToken": "aor…:…",
///  "profileArn": "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK",
///  "region": "us-east-1", "expiresIn": 3600}
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IssuedCredential {
    /// Whose it is.
    pub account: AccountId,
    /// How the holder signed in.
    pub kind: CredentialKind,
    /// `aoa…:…`, a JWT for external identity providers, or the `ksk_` key itself.
    pub access_token: String,
    /// `aor…:…`, or `1.A…` for external identity providers. API keys have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The profile that the account uses, for kinds that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_arn: Option<String>,
    /// The client registration, for kinds that refresh with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The client registration's secret, for AWS SSO OIDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// The region of the sign-in, which is not the region of the service.
    pub region: String,
    /// Seconds until the access token expires. 0 for API keys, which never do.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredential")
            .field("account", &self.account)
            .field("kind", &self.kind)
            .field("profile_arn", &self.profile_arn)
            .field("region", &self.region)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// An account as the service knows it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) kind: CredentialKind,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) suspended: bool,
    pub(crate) credits_used: f64,
    pub(crate) refreshes: u64,
    /// Generate calls within the last minute, oldest first; for the rate limit.
    pub(crate) recent_calls: std::collections::VecDeque<Instant>,
}

/// A profile that an account may use.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) arn: String,
    pub(crate) name: String,
}

/// A client registered at the OIDC service.
#[derive(Clone)]
struct Client {
    secret: String,
    expires_at: Option<Instant>,
    terms: ClientTerms,
}

/// What a client has registered for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientTerms {
    pub(crate) grant_types: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) issuer_url: String,
}

/// Tokens that a sign-in or a refresh has given.
pub(crate) struct Grant {
    pub(crate) access_token: String,
    /// `None` when the refresh token that was used stays the one to use.
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_in: Duration,
}

struct AccessToken {
    account: AccountId,
    /// `None` for API keys, which do not expire.
    expires_at: Option<Instant>,
}

struct RefreshToken {
    account: AccountId,
    client_id: Option<String>,
    /// When the token stops working: at once after a rotation with revocation, later with grace.
    dies_at: Option<Instant>,
}

/// Access tokens above which expired ones are dropped.
const MANY_TOKENS: usize = 10_000;

/// Every account, token and client registration.
pub(crate) struct Accounts {
    random: Random,
    lifetime: Duration,
    rotation: Rotation,
    accounts: Vec<Account>,
    access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
    clients: HashMap<String, Client>,
}

impl Accounts {
    pub(crate) fn new(seed: u64, lifetime: Duration, rotation: Rotation) -> Self {
        Self {
            random: Random::new(seed),
            lifetime,
            rotation,
            accounts: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            clients: HashMap::new(),
        }
    }

    /// Opens an account and signs it in.
    pub(crate) fn issue(&mut self, kind: CredentialKind, now: Instant) -> IssuedCredential {
        let account = self.open(kind);
        let client = match kind.service() {
            Some(SignInService::Aws) => Some(self.register_client(ClientTerms::refreshing(), None)),
            Some(SignInService::Provider) => Some((self.random.uuid(), String::new())),
            Some(SignInService::Kiro) | None => None,
        };
        let grant = self.sign_in(account, client.as_ref().map(|(id, _)| id.as_str()), now);
        let client_secret = client.as_ref().map(|(_, secret)| secret.clone());
        IssuedCredential {
            account,
            kind,
            access_token: grant.access_token,
            refresh_token: grant.refresh_token,
            profile_arn: self.own_profile(account),
            client_id: client.map(|(id, _)| id),
            client_secret: client_secret.filter(|secret| !secret.is_empty()),
            region: match kind {
                CredentialKind::IdentityCenter => "eu-west-1",
                CredentialKind::Social
                | CredentialKind::BuilderId
                | CredentialKind::ExternalIdp
                | CredentialKind::ApiKey => "us-east-1",
            }
            .to_owned(),
            expires_in: grant.expires_in.as_secs(),
        }
    }

    /// Opens an account without signing it in.
    pub(crate) fn open(&mut self, kind: CredentialKind) -> AccountId {
        let id = AccountId(self.accounts.len() as u64 + 1);
        let profiles = match kind {
            CredentialKind::Social => vec![Profile::shared(SOCIAL_PROFILE_ARN)],
            CredentialKind::BuilderId => vec![Profile::shared(BUILDER_ID_PROFILE_ARN)],
            CredentialKind::IdentityCenter | CredentialKind::ExternalIdp => {
                vec![Profile::of_team(id, &mut self.random)]
            }
            CredentialKind::ApiKey => Vec::new(),
        };
        self.accounts.push(Account {
            id,
            kind,
            profiles,
            suspended: false,
            credits_used: 0.0,
            refreshes: 0,
            recent_calls: std::collections::VecDeque::new(),
        });
        id
    }

    /// Gives an account a first pair of tokens.
    pub(crate) fn sign_in(
        &mut self,
        account: AccountId,
        client_id: Option<&str>,
        now: Instant,
    ) -> Grant {
        let access_token = self.new_access_token(account, now);
        let refresh_token = self.new_refresh_token(account, client_id.map(str::to_owned));
        let expires_in = self.access[&access_token]
            .expires_at
            .map_or(Duration::ZERO, |_| self.lifetime);
        Grant {
            access_token,
            refresh_token,
            expires_in,
        }
    }

    /// Exchanges a refresh token for new tokens. `None` when the token is dead, of another service or not this
    /// client's.
    pub(crate) fn refresh(
        &mut self,
        service: SignInService,
        token: &str,
        client_id: Option<&str>,
        now: Instant,
    ) -> Option<Grant> {
        let owner = self.owner_of_refresh_token(token)?;
        if self.account(owner).kind.service() != Some(service) {
            return None;
        }
        let held = self.refresh.get_mut(token)?;
        if held.dies_at.is_some_and(|dies_at| dies_at <= now)
            || held.client_id.as_deref() != client_id
        {
            return None;
        }
        let (account, client) = (held.account, held.client_id.clone());
        match self.rotation {
            Rotation::Never => {}
            Rotation::AlwaysRevoke => held.dies_at = Some(now),
            // A second use within the grace does not prolong it.
            Rotation::AlwaysGrace(grace) => held.dies_at = held.dies_at.or(Some(now + grace)),
        }
        self.account_mut(account).refreshes += 1;
        let rotates = self.rotation != Rotation::Never;
        Some(Grant {
            access_token: self.new_access_token(account, now),
            refresh_token: rotates
                .then(|| self.new_refresh_token(account, client))
                .flatten(),
            expires_in: self.lifetime,
        })
    }

    /// Whose access token this is, while it is valid.
    pub(crate) fn holder_of(&self, access_token: &str, now: Instant) -> Option<AccountId> {
        let held = self.access.get(access_token)?;
        let valid = held.expires_at.is_none_or(|expires_at| now < expires_at);
        valid.then_some(held.account)
    }

    /// The account that a refresh token belongs to, dead or alive.
    pub(crate) fn owner_of_refresh_token(&self, token: &str) -> Option<AccountId> {
        self.refresh.get(token).map(|held| held.account)
    }

    pub(crate) fn register_client(
        &mut self,
        terms: ClientTerms,
        expires_at: Option<Instant>,
    ) -> (String, String) {
        let id = self.random.base64url(27);
        let secret = format!("eyJ{}", self.random.base64url(200));
        self.clients.insert(
            id.clone(),
            Client {
                secret: secret.clone(),
                expires_at,
                terms,
            },
        );
        (id, secret)
    }

    /// Whether a client registration is known, unexpired and has this secret.
    pub(crate) fn is_client(&self, id: &str, secret: &str, now: Instant) -> bool {
        self.clients.get(id).is_some_and(|client| {
            client.secret == secret && client.expires_at.is_none_or(|expires_at| now < expires_at)
        })
    }

    /// What a client has registered for, while its registration is good.
    pub(crate) fn terms_of(&self, client_id: &str, now: Instant) -> Option<&ClientTerms> {
        let client = self.clients.get(client_id)?;
        let valid = client.expires_at.is_none_or(|expires_at| now < expires_at);
        valid.then_some(&client.terms)
    }

    /// Makes every access token that can expire invalid.
    pub(crate) fn expire_access_tokens(&mut self, now: Instant) {
        for held in self.access.values_mut() {
            held.expires_at = held.expires_at.map(|expires_at| expires_at.min(now));
        }
    }

    /// Makes every token of an account invalid, API keys included.
    pub(crate) fn revoke(&mut self, account: AccountId, now: Instant) {
        self.access.retain(|_, held| held.account != account);
        for held in self
            .refresh
            .values_mut()
            .filter(|held| held.account == account)
        {
            held.dies_at = Some(now);
        }
    }

    /// An account whose id comes from a token of this simulator.
    pub(crate) fn account(&self, id: AccountId) -> &Account {
        // Such ids are given by `open` only, which pushes the account in the same step.
        &self.accounts[id.0 as usize - 1]
    }

    /// As [`account`](Self::account).
    pub(crate) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.0 as usize - 1]
    }

    /// An account whose id comes from a caller, who may have it from another simulator.
    pub(crate) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter()
    }

    fn own_profile(&self, id: AccountId) -> Option<String> {
        self.account(id)
            .profiles
            .first()
            .map(|profile| profile.arn.clone())
    }

    fn new_access_token(&mut self, account: AccountId, now: Instant) -> String {
        let expires_at = Some(now + self.lifetime);
        let random = &mut self.random;
        let (token, expires_at) = match self.accounts[account.0 as usize - 1].kind {
            CredentialKind::ApiKey => (format!("ksk_{}", random.base64url(48)), None),
            CredentialKind::ExternalIdp => {
                let (head, claims, signature) = (
                    random.base64url(30),
                    random.base64url(120),
                    random.base64url(86),
                );
                (format!("eyJ{head}.eyJ{claims}.{signature}"), expires_at)
            }
            CredentialKind::Social | CredentialKind::BuilderId | CredentialKind::IdentityCenter => {
                let (token, signature) = (random.base64url(150), random.base64url(100));
                (format!("aoaAAAAAG{token}:MGUCMQ{signature}"), expires_at)
            }
        };
        self.forget_expired(now);
        self.access.insert(
            token.clone(),
            AccessToken {
                account,
                expires_at,
            },
        );
        token
    }

    /// Drops expired access tokens once there are many: an unknown token and an expired one get the same answer.
    fn forget_expired(&mut self, now: Instant) {
        if self.access.len() >= MANY_TOKENS {
            let live =
                |held: &AccessToken| held.expires_at.is_none_or(|expires_at| now < expires_at);
            self.access.retain(|_, held| live(held));
        }
    }

    /// `None` for what is never refreshed.
    fn new_refresh_token(
        &mut self,
        account: AccountId,
        client_id: Option<String>,
    ) -> Option<String> {
        let random = &mut self.random;
        let token = match self.accounts[account.0 as usize - 1].kind {
            CredentialKind::ExternalIdp => format!("1.AXoA{}", random.base64url(180)),
            CredentialKind::Social | CredentialKind::BuilderId | CredentialKind::IdentityCenter => {
                let (token, signature) = (random.base64url(150), random.base64url(100));
                format!("aorAAAAAG{token}:MGQCM{signature}")
            }
            CredentialKind::ApiKey => return None,
        };
        self.refresh.insert(
            token.clone(),
            RefreshToken {
                account,
                client_id,
                dies_at: None,
            },
        );
        Some(token)
    }
}

impl ClientTerms {
    /// The client of somebody who signed in long ago.
    fn refreshing() -> Self {
        Self {
            grant_types: vec!["refresh_token".to_owned()],
            ..Self::default()
        }
    }
}

impl Profile {
    fn shared(arn: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            name: "KiroProfile-us-east-1".to_owned(),
        }
    }

    fn of_team(id: AccountId, random: &mut Random) -> Self {
        let profile = random.letters(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 12);
        Self {
            arn: format!("arn:aws:codewhisperer:us-east-1:111122223333:profile/{profile}"),
            name: format!("team-{}", id.0),
        }
    }
}
