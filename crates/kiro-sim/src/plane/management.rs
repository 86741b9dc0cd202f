//! Models, quota, profiles, API keys.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::caller::authenticate;
use super::ok;
use crate::account::Account;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::validate::check_profile;
use crate::{CredentialKind, SimOptions, form};

/// `ListAvailableModels`. Pages when asked for `maxResults`.
pub(super) fn list_models(call: &Call) -> Outcome {
    let parameters = parameters(call)?;
    let caller = authenticate(call)?;
    check_profile(
        parameters.get("profileArn").and_then(Value::as_str),
        &caller.holder,
    )?;
    let mut response = call.shared.options.catalog.response().clone();
    page(&mut response, "models", &parameters)?;
    Ok(ok(&response))
}

/// `ListAvailableProfiles`. Builder IDs may not ask, and social accounts have none to list. Source: one public
/// gateway, 2026.
pub(super) fn list_profiles(call: &Call) -> Outcome {
    let parameters = parameters(call)?;
    let caller = authenticate(call)?;
    let profiles = call
        .shared
        .look()
        .accounts
        .account(caller.account)
        .profiles
        .clone();
    let denied = |message: &str| Refusal::new("E17", 403, "AccessDeniedException", message);
    let profiles = match caller.holder.kind {
        CredentialKind::BuilderId => {
            return Err(denied("AWS Builder ID is not supported for this operation.").into());
        }
        CredentialKind::ApiKey => {
            return Err(denied("User is not authorized to access this feature.").into());
        }
        CredentialKind::Social => Vec::new(),
        CredentialKind::IdentityCenter | CredentialKind::ExternalIdp => profiles,
    };
    let profiles: Vec<Value> = profiles
        .iter()
        .map(|profile| json!({"arn": profile.arn, "profileName": profile.name}))
        .collect();
    let mut response = json!({"profiles": profiles, "nextToken": null});
    page(&mut response, "profiles", &parameters)?;
    Ok(ok(&response))
}

/// `GetUsageLimits`: what the account has used of its credits.
pub(super) fn usage_limits(call: &Call) -> Outcome {
    let parameters = parameters(call)?;
    let caller = authenticate(call)?;
    if let Some(arn) = parameters.get("profileArn").and_then(Value::as_str) {
        check_profile(Some(arn), &caller.holder)?;
    }
    let with_email = parameters
        .get("isEmailRequired")
        .is_some_and(|value| value.as_bool().unwrap_or(value.as_str() == Some("true")));
    let inner = call.shared.look();
    let account = inner.accounts.account(caller.account);
    Ok(ok(&limits_of(account, &call.shared.options, with_email)))
}

fn limits_of(account: &Account, options: &SimOptions, with_email: bool) -> Value {
    let (quota, next_reset) = (options.credit_quota, options.next_reset as f64);
    let used = account.credits_used;
    let email = with_email.then(|| format!("{}@example.com", account.id));
    json!({
        "limits": [],
        "daysUntilReset": null,
        "nextDateReset": next_reset,
        "subscriptionInfo": {
            "type": "Q_DEVELOPER_STANDALONE_PRO",
            "subscriptionTitle": "KIRO PRO",
            "overageCapability": "OVERAGE_CAPABLE",
            "upgradeCapability": "UPGRADE_CAPABLE",
            "subscriptionManagementTarget": "MANAGE",
        },
        "overageConfiguration": {"overageStatus": "DISABLED"},
        "usageBreakdownList": [{
            "resourceType": "CREDIT",
            "displayName": "Credit",
            "displayNamePlural": "Credits",
            "unit": "INVOCATIONS",
            "currency": "USD",
            "currentUsage": used as u64,
            "currentUsageWithPrecision": used,
            "usageLimit": quota as u64,
            "usageLimitWithPrecision": quota,
            "currentOverages": 0,
            "currentOveragesWithPrecision": 0.0,
            "overageCap": 0,
            "overageCapWithPrecision": 0.0,
            "overageRate": 0.04,
            "overageCharges": 0.0,
            "nextDateReset": next_reset,
            "bonuses": [],
        }],
        "userInfo": {"userId": format!("d-1234567890.{}", account.id), "email": email},
    })
}

/// `GetFeatureConfiguration`: no flags.
pub(super) fn feature_configuration(call: &Call) -> Outcome {
    authenticate(call)?;
    Ok(ok(&json!({"features": []})))
}

/// `CreateApiKey`: a key for an account of its own, since the simulator bills by account.
pub(super) fn create_api_key(call: &Call) -> Outcome {
    authenticate(call)?;
    let now = Instant::now();
    let key = call
        .shared
        .change(|inner| inner.accounts.issue(CredentialKind::ApiKey, now));
    let raw = key.access_token;
    Ok(ok(&json!({
        "keyId": key.account.to_string(),
        "keyPrefix": raw.get(..8),
        "rawKey": raw,
    })))
}

/// `ListApiKeys`.
pub(super) fn list_api_keys(call: &Call) -> Outcome {
    authenticate(call)?;
    let inner = call.shared.look();
    let keys = inner
        .accounts
        .iter()
        .filter(|account| account.kind == CredentialKind::ApiKey);
    let keys: Vec<Value> = keys
        .map(|account| json!({"keyId": account.id.to_string()}))
        .collect();
    Ok(ok(&json!({"apiKeys": keys})))
}

/// Parameters come in the query of a `GET`, otherwise in the body, which may be empty.
fn parameters(call: &Call) -> Result<Value, Refusal> {
    if call.head.method == hyper::Method::GET {
        let query = form::parse(call.head.uri.query().unwrap_or_default());
        return Ok(query
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect());
    }
    if call.body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&call.body).map_err(|error| {
        Refusal::new(
            "JSON",
            400,
            "ValidationException",
            "Improperly formed request.",
        )
        .detailed(error.to_string())
    })
}

/// Cuts a list to `maxResults`, from `nextToken` on, which is an index.
fn page(response: &mut Value, list: &str, parameters: &Value) -> Result<(), Refusal> {
    let number = |name: &str| {
        let value = parameters.get(name).filter(|value| !value.is_null());
        let parsed = value.map(|value| match value {
            Value::String(text) => text.parse().ok(),
            other => other
                .as_u64()
                .and_then(|number| usize::try_from(number).ok()),
        });
        match parsed {
            None => Ok(None),
            Some(Some(number)) => Ok(Some(number)),
            Some(None) => {
                let message = format!("{name} is not valid");
                Err(Refusal::new("E3", 400, "ValidationException", message))
            }
        }
    };
    let (from, most) = (number("nextToken")?.unwrap_or(0), number("maxResults")?);
    let Some(items) = response.get_mut(list).and_then(Value::as_array_mut) else {
        return Ok(());
    };
    let end = items
        .len()
        .min(from.saturating_add(most.unwrap_or(usize::MAX).max(1)));
    let next = (end < items.len()).then(|| end.to_string());
    items.truncate(end);
    items.drain(..from.min(end));
    response["nextToken"] = Value::from(next);
    Ok(())
}
