//! Who calls: the bearer token, its type, and the standing of its account.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, USER_AGENT};
use kiro_protocol::Generation;
use tokio::time::Instant;

use crate::account::AccountId;
use crate::operation::Operation;
use crate::refusal::Refusal;
use crate::service::Call;
use crate::state::Inner;
use crate::validate::Holder;
use crate::{CredentialKind, Host};

/// The token that the plugins of Amazon Q put into their user agent, and by which the service tells them
/// from Kiro. Source: the official language server, 2026.
const PLUGIN_TOKEN: &str = "AWS-Language-Servers-AWS-CodeWhisperer";

/// A caller whose token is good.
pub(super) struct Caller {
    pub(super) account: AccountId,
    pub(super) holder: Holder,
}

/// Authenticates a call, and notes whose it is.
pub(super) fn authenticate(call: &Call) -> Result<Caller, Refusal> {
    let host = host_of(call);
    let now = Instant::now();
    call.shared.change(|inner| {
        let account =
            bearer(&call.head.headers, inner, now).map_err(|detail| refuse(host, detail))?;
        if let Some(recorded) = inner.log.get_mut(call.number) {
            recorded.account = Some(account);
        }
        let kind = inner.accounts.account(account).kind;
        check_token_type(&call.head.headers, kind).map_err(|detail| refuse(host, detail))?;
        check_standing(call, account, inner)?;
        Ok(Caller {
            account,
            holder: holder(account, kind, host, inner),
        })
    })
}

/// The host that a call was made to, as far as its spelling tells.
fn host_of(call: &Call) -> Host {
    match (call.operation, call.generation) {
        (Operation::Generate | Operation::SendMessage | Operation::InvokeMcp, generation) => {
            let by_spelling = match generation {
                Some(Generation::Rest) => Host::Legacy,
                _ => Host::Runtime,
            };
            call.shared.options.data_host.unwrap_or(by_spelling)
        }
        // What else needs a token.
        _ => Host::Management,
    }
}

fn bearer(headers: &HeaderMap, inner: &Inner, now: Instant) -> Result<AccountId, &'static str> {
    let header = headers
        .get(AUTHORIZATION)
        .ok_or("no authorization header")?;
    let value = header
        .to_str()
        .map_err(|_| "the authorization header is not text")?;
    let token = value
        .strip_prefix("Bearer ")
        .ok_or("the authorization is not a bearer token")?;
    inner
        .accounts
        .holder_of(token, now)
        .ok_or("the token is unknown, expired or revoked")
}

/// API keys and external tokens are refused without their type. The IDE also names the type of OIDC tokens.
fn check_token_type(headers: &HeaderMap, kind: CredentialKind) -> Result<(), &'static str> {
    let given = headers
        .get("tokentype")
        .and_then(|value| value.to_str().ok());
    match (kind.token_type(), given) {
        (None, None) => Ok(()),
        (None, Some("SSO_OIDC")) if kind.is_oidc() => Ok(()),
        (Some(needed), Some(given)) if needed == given => Ok(()),
        (Some(_), None) => Err("the TokenType header is missing"),
        _ => Err("the TokenType header is not the token's"),
    }
}

fn check_standing(call: &Call, account: AccountId, inner: &Inner) -> Result<(), Refusal> {
    let account = inner.accounts.account(account);
    if account.suspended {
        let message = format!(
            "Your User ID ({}) temporarily is suspended. We've locked your account as a security \
             precaution.",
            account.id
        );
        return Err(Refusal::new("E18", 403, "AccessDeniedException", message)
            .because("TEMPORARILY_SUSPENDED"));
    }
    let agent = call
        .head
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let is_plugin = agent.is_some_and(|agent| agent.contains(PLUGIN_TOKEN));
    if is_plugin && account.kind == CredentialKind::BuilderId {
        let message = "This feature is not supported for your account.";
        return Err(Refusal::new("E19", 403, "AccessDeniedException", message)
            .because("FEATURE_NOT_SUPPORTED"));
    }
    Ok(())
}

fn holder(account: AccountId, kind: CredentialKind, host: Host, inner: &Inner) -> Holder {
    let arns = |own: bool| {
        let accounts = inner
            .accounts
            .iter()
            .filter(move |other| (other.id == account) == own);
        accounts.flat_map(|other| other.profiles.iter().map(|profile| profile.arn.clone()))
    };
    let mut holder = Holder::new(kind, host);
    holder.own = arns(true).collect();
    holder.others = arns(false).collect();
    holder
}

/// The management host has its own words for a bad token.
fn refuse(host: Host, detail: &str) -> Refusal {
    match host {
        Host::Management => {
            Refusal::new("E11", 400, "AccessDeniedException", "Invalid token").detailed(detail)
        }
        Host::Runtime | Host::Legacy => Refusal::bad_bearer(detail),
    }
}
