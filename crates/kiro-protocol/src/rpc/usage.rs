//! What is used of the quota.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Map, Value};

use super::call::Operation;
use super::read::{count, number, object, text};
use super::{Call, RpcError};
use crate::request::BuildError;

const NAME: &str = "GetUsageLimits";

const OPERATION: Operation = Operation {
    method: Method::GET,
    path: "/getUsageLimits",
    hyphened_path: "/Get-Usage-Limits",
    cli_target: "AmazonCodeWhispererService.GetUsageLimits",
    krs_target: "KiroControlPlaneBearerService.GetUsageLimits",
};

/// What to ask about. The default asks about everything, without the e-mail address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageQuestion<'a> {
    /// `CREDIT`, `AGENTIC_REQUEST`, …; `None` for all.
    pub resource_type: Option<&'a str>,
    /// Whether to tell the account's e-mail address, if that is permitted.
    pub with_email: bool,
}

/// Asks what a credential has used. Ask the management or the legacy host; the runtime host does not
/// answer.
///
/// Some organisations' accounts refuse a profile ARN here with 400, others want one: send it for Identity
/// Center and external identity providers, and try once without it on 400.
///
/// # Errors
///
/// [`BuildError`] when a value cannot stand in a header or an address.
pub fn usage_limits(
    call: &Call<'_>,
    question: &UsageQuestion<'_>,
) -> Result<Request<Bytes>, BuildError> {
    let mut parameters = Map::new();
    parameters.insert("origin".into(), (*call.profile.origin).into());
    if let Some(resource_type) = question.resource_type {
        parameters.insert("resourceType".into(), resource_type.into());
    }
    if let Some(arn) = call.arn() {
        parameters.insert("profileArn".into(), arn.into());
    }
    parameters.insert("isEmailRequired".into(), question.with_email.into());
    OPERATION.request(call, &parameters)
}

/// What a credential may use and has used.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct UsageLimits {
    /// When the quota is full again, in seconds since 1970.
    pub next_reset: Option<u64>,
    /// The plan.
    pub subscription: Subscription,
    /// Whether use beyond the plan is allowed and paid for. `None` when the service does not say.
    pub overage_enabled: Option<bool>,
    /// One entry per kind of resource; `CREDIT` in 2026.
    pub breakdown: Vec<UsageBreakdown>,
    /// The account's id.
    pub user_id: Option<String>,
    /// The account's e-mail address, if asked for and permitted.
    pub email: Option<String>,
}

/// The plan of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// For people, for example `KIRO PRO`.
    pub title: Option<String>,
    /// For programs, for example `Q_DEVELOPER_STANDALONE_PRO`.
    pub kind: Option<String>,
    /// Whether the plan could allow overage.
    pub can_overage: Option<bool>,
}

/// What is used of one kind of resource, in its unit.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct UsageBreakdown {
    /// `CREDIT`, `AGENTIC_REQUEST`, …
    pub resource_type: Option<String>,
    /// For people, plural, for example `Credits`.
    pub display_name: Option<String>,
    /// Used in this period. Some answers count overage in, so it can pass `limit`.
    pub used: Option<f64>,
    /// What the plan includes.
    pub limit: Option<f64>,
    /// Use beyond the plan.
    pub overage: Overage,
    /// A free trial that is running or over.
    pub free_trial: Option<Bonus>,
    /// Gifts.
    pub bonuses: Vec<Bonus>,
    /// When it is full again, in seconds since 1970.
    pub next_reset: Option<u64>,
}

/// Use beyond the plan.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Overage {
    /// Used beyond the plan.
    pub used: Option<f64>,
    /// Most that may be used beyond it.
    pub cap: Option<f64>,
    /// Price of one unit.
    pub rate: Option<f64>,
    /// What has been charged in this period.
    pub charges: Option<f64>,
    /// The currency of both, for example `USD`.
    pub currency: Option<String>,
}

/// A free trial or a gift.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Bonus {
    /// For people.
    pub name: Option<String>,
    /// Whether it can be used.
    pub active: bool,
    /// Used of it.
    pub used: Option<f64>,
    /// All of it.
    pub limit: Option<f64>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

impl UsageLimits {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the answer is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let members = object(NAME, body)?;
        let user = members.get("userInfo");
        let of_user = |name: &str| text(user.and_then(|user| user.get(name)));
        let breakdown = members.get("usageBreakdownList").and_then(Value::as_array);
        let breakdown = breakdown
            .into_iter()
            .flatten()
            .filter(|item| item.is_object());
        Ok(Self {
            next_reset: count(members.get("nextDateReset")),
            subscription: Subscription::read(members.get("subscriptionInfo")),
            overage_enabled: overage_enabled(members.get("overageConfiguration")),
            breakdown: breakdown.map(UsageBreakdown::read).collect(),
            user_id: of_user("userId"),
            email: of_user("email"),
        })
    }

    /// What is left, over all entries of `breakdown`: of the plan, of active trials and gifts, and of
    /// the overage if that is enabled. `None` when no entry tells a limit.
    pub fn remaining(&self) -> Option<f64> {
        let with_overage = self.overage_enabled.unwrap_or_default();
        let parts = self.breakdown.iter();
        parts
            .filter_map(|part| {
                let overage = match with_overage {
                    true => left(part.overage.used, part.overage.cap).unwrap_or_default(),
                    false => 0.0,
                };
                Some(part.included_left()? + overage)
            })
            .reduce(|sum, part| sum + part)
    }

    /// The same without the overage, which is paid for.
    pub fn included_left(&self) -> Option<f64> {
        let parts = self.breakdown.iter();
        let left = parts.filter_map(UsageBreakdown::included_left);
        left.reduce(|sum, part| sum + part)
    }
}

/// What is left of an amount, never less than nothing.
fn left(used: Option<f64>, limit: Option<f64>) -> Option<f64> {
    Some((limit? - used.unwrap_or_default()).max(0.0))
}

impl UsageBreakdown {
    /// What may be used without a price for each unit: the plan, and active trials and gifts. `None` when the
    /// service tells no limit.
    ///
    /// Source of the sum: one account manager (October 2026).
    pub fn included(&self) -> Option<f64> {
        let extras = self.active_extras();
        let extras = extras.map(|extra| extra.limit.unwrap_or_default());
        Some(self.limit? + extras.sum::<f64>())
    }

    /// What is left of [`included`](Self::included).
    pub fn included_left(&self) -> Option<f64> {
        let extras = self.active_extras();
        let extras = extras.map(|extra| left(extra.used, extra.limit).unwrap_or_default());
        Some(left(self.used, self.limit)? + extras.sum::<f64>())
    }

    fn active_extras(&self) -> impl Iterator<Item = &Bonus> {
        let extras = self.free_trial.iter().chain(&self.bonuses);
        extras.filter(|extra| extra.active)
    }

    fn read(item: &Value) -> Self {
        let trial = item.get("freeTrialInfo").filter(|trial| trial.is_object());
        let bonuses = item.get("bonuses").and_then(Value::as_array);
        let bonuses = bonuses
            .into_iter()
            .flatten()
            .filter(|bonus| bonus.is_object());
        Self {
            resource_type: text(item.get("resourceType")),
            display_name: text(item.get("displayNamePlural"))
                .or_else(|| text(item.get("displayName"))),
            used: precise(item, "currentUsage"),
            limit: precise(item, "usageLimit"),
            overage: Overage {
                used: precise(item, "currentOverages"),
                cap: precise(item, "overageCap"),
                rate: number(item.get("overageRate")),
                charges: number(item.get("overageCharges")),
                currency: text(item.get("currency")),
            },
            free_trial: trial.map(|trial| Bonus {
                name: None,
                active: is_active(trial.get("freeTrialStatus")),
                used: precise(trial, "currentUsage"),
                limit: precise(trial, "usageLimit"),
                expires: count(trial.get("freeTrialExpiry")),
            }),
            bonuses: bonuses.map(Bonus::read).collect(),
            next_reset: count(item.get("nextDateReset")),
        }
    }
}

impl Bonus {
    fn read(bonus: &Value) -> Self {
        Self {
            name: text(bonus.get("displayName")).or_else(|| text(bonus.get("bonusCode"))),
            active: is_active(bonus.get("status")),
            used: precise(bonus, "currentUsage"),
            limit: precise(bonus, "usageLimit"),
            expires: count(bonus.get("expiresAt")),
        }
    }
}

impl Subscription {
    fn read(info: Option<&Value>) -> Self {
        let said = |name: &str| text(info.and_then(|info| info.get(name)));
        Self {
            title: said("subscriptionTitle"),
            kind: said("type"),
            can_overage: said("overageCapability").map(|word| word == "OVERAGE_CAPABLE"),
        }
    }
}

/// `overageStatus`, or `overageEnabled` in an older form.
fn overage_enabled(configuration: Option<&Value>) -> Option<bool> {
    let configuration = configuration?;
    let status = text(configuration.get("overageStatus")).map(|word| word == "ENABLED");
    status.or_else(|| configuration.get("overageEnabled")?.as_bool())
}

fn is_active(status: Option<&Value>) -> bool {
    status.and_then(Value::as_str) == Some("ACTIVE")
}

/// Amounts come whole, and again with a fraction under a longer name.
fn precise(item: &Value, name: &str) -> Option<f64> {
    number(item.get(format!("{name}WithPrecision"))).or_else(|| number(item.get(name)))
}
