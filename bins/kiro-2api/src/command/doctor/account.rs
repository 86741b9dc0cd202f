//! One account: what it is, and whether it can be used.

use std::time::Instant;

use http::Method;
use kiro_auth::{AccessToken, Credential, CredentialStore as _};
use kiro_protocol::rpc::UsageLimits;
use serde_json::json;

use super::report::Report;
use crate::accounts::Member;
use crate::command::facts::{self, expiry};
use crate::in_process::InProcess;
use crate::present::{epoch, masked, masked_arn, time, with_causes};
use crate::remedy;
use crate::service::Service;

/// What can be told without asking anybody. Gives the credential, if there is one.
pub(in crate::command) async fn read(report: &mut Report, member: &Member) -> Option<Credential> {
    let about = about(member);
    let read = facts::read(member).await;
    let (facts, (credential, login)) = match (read.facts, read.credential) {
        (facts, Ok(credential)) => (facts, credential),
        (_, Err(error)) => {
            let again = remedy::sign_in_again(member).await;
            let remedy = remedy::of_auth(&error, &again);
            report.problem(&about, &error, &remedy);
            return None;
        }
    };
    let token = credential.refresh_token.as_ref();
    let token = token.or(credential.access_token.as_ref());
    let token = token.map_or("no token".to_owned(), |token| masked(token.expose()));
    report.ok(
        &about,
        format_args!(
            "{}, from {}, token {token}, called {} in the log",
            login.login, facts.from, facts.id
        ),
    );
    let says = match login.expires_at {
        Some(_) => format!("access token expires {}", expiry(&login)),
        None => "no access token yet".to_owned(),
    };
    match (login.is_valid, login.is_refreshable) {
        _ if !login.login.expires() => {}
        (_, true) => report.ok(&about, format_args!("{says}, can be refreshed")),
        (true, false) => report.warning(
            &about,
            format_args!("{says}, and cannot be refreshed: its client registration is missing"),
            "sign in again before then, or import the whole login",
        ),
        (false, false) => report.wrong(
            &about,
            format_args!("{says}, and it cannot be refreshed"),
            &remedy::sign_in_again(member).await,
        ),
    }
    if let Some(at) = credential.client_expires_at {
        report.note(
            &about,
            format_args!(
                "its client registration, and with it the sign-in, ends at {}",
                time(at)
            ),
        );
    }
    let profile = match (facts.profile, login.has_profile) {
        (Some(profile), _) => profile,
        (None, true) => "the shared one of its kind of login".to_owned(),
        (None, false) => "will be asked for".to_owned(),
    };
    let region = facts.region.unwrap_or_default();
    report.ok(&about, format_args!("region {region}, profile {profile}"));
    Some(credential)
}

/// A token, the quota, and a prompt. Gives the token where there is one.
pub(in crate::command) async fn ask(
    report: &mut Report,
    accounts: &mut InProcess,
    service: &Service,
    member: &Member,
    model: Option<&str>,
) -> Option<AccessToken> {
    let about = about(member);
    let token = match member.source().token().await {
        Ok(token) => token,
        Err(error) => {
            let again = remedy::sign_in_again(member).await;
            let remedy = remedy::of_auth(&error, &again);
            report.problem(&about, &error, &remedy);
            return None;
        }
    };
    let until = token.expires_at().map(time);
    let until = until.map_or("that does not expire".to_owned(), |at| {
        format!("good until {at}")
    });
    report.ok(&about, format_args!("has an access token {until}"));
    match service.usage(&token).await {
        Ok(usage) => quota(report, &about, &usage),
        Err(error) => {
            let again = remedy::sign_in_again(member).await;
            report.problem(&about, &error, &remedy::of_call(&error, &again));
        }
    }
    if let Some(model) = model {
        prompt(report, accounts, member, model).await;
    }
    Some(token)
}

fn quota(report: &mut Report, about: &str, usage: &UsageLimits) {
    let plan = usage.subscription.title.as_deref().unwrap_or("no plan");
    let left = usage.remaining();
    let reset = usage.next_reset.and_then(epoch).map(time);
    let reset = reset.map_or(String::new(), |at| format!(", full again at {at}"));
    match left {
        None => report.ok(about, format_args!("{plan}, no limit is told{reset}")),
        Some(left) if left > 0.0 => {
            report.ok(about, format_args!("{plan}, {left:.2} credits left{reset}"));
        }
        Some(_) => report.wrong(
            about,
            format_args!("{plan}, no credits left{reset}"),
            "wait for the reset, allow overage in the plan, or add another account",
        ),
    }
}

/// Asks a model, the way that clients of the gateway do.
async fn prompt(report: &mut Report, accounts: &mut InProcess, member: &Member, model: &str) {
    let about = about(member);
    let gateway = match accounts.gateway(std::slice::from_ref(member)) {
        Ok(gateway) => gateway,
        Err(error) => return report.problem(&about, &*error, "correct the configuration"),
    };
    let question = json!({
        "model": model,
        "messages": [{"role": "user", "content": "Reply with the single word OK."}],
    });
    let asked = Instant::now();
    let answer = gateway.document(Method::POST, "/v1/chat/completions", Some(&question));
    match answer.await {
        Ok(_) => report.ok(
            &about,
            format_args!(
                "`{model}` answered a test prompt after {} ms",
                asked.elapsed().as_millis()
            ),
        ),
        Err(error) => report.wrong(
            &about,
            format_args!(
                "`{model}` did not answer a test prompt: {}",
                with_causes(&*error)
            ),
            "do what the message says; `kiro-2api models` lists the models",
        ),
    }
    // The gateway finds the profile of an organisation's login.
    let found = member.source().current();
    let profile = found.as_ref().and_then(AccessToken::profile_arn);
    if let Some(profile) = profile
        && member
            .store()
            .load()
            .await
            .is_ok_and(|kept| kept.profile_arn.is_none())
    {
        report.ok(
            &about,
            format_args!("its profile was found: {}", masked_arn(profile)),
        );
    }
}

fn about(member: &Member) -> String {
    format!("account {}", member.name())
}
