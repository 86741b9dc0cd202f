//! The figures of one answer, and of several together.

use kiro_protocol::rpc::{Bonus, UsageBreakdown, UsageLimits};

/// What is left for one account, or for several together. It names neither.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
pub(crate) struct Quota {
    /// What is subscribed to, for example `KIRO PRO`. Several accounts may have several: with commas between them.
    pub(crate) title: Option<String>,
    /// What was used of the plan.
    pub(crate) used: f64,
    /// What the plan holds.
    pub(crate) limit: f64,
    /// What is left of the plan, and of a trial and gifts that can be used now. Overage is not in it: that is paid for.
    pub(crate) remaining: f64,
    /// The same as a share of all that the plan, the trial and the gifts hold. Unknown when they hold nothing.
    pub(crate) remaining_share: Option<f64>,
    /// What is counted, as the service calls it, for example `CREDIT`. Nothing where several things are.
    pub(crate) unit: Option<String>,
    /// When it is full again, in seconds since the epoch; of several accounts the first.
    pub(crate) resets_at: Option<u64>,
    /// Whether use beyond the plan is allowed, and paid for. Unknown when the service does not tell.
    pub(crate) overage_enabled: Option<bool>,
    /// Each thing that is counted.
    pub(crate) resources: Vec<Resource>,
}

/// One thing that is counted.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "QuotaResource"))]
pub(crate) struct Resource {
    /// As the service calls it: `CREDIT`, formerly `VIBE`, `SPEC` and `AGENTIC_REQUEST`.
    resource: Option<String>,
    /// For people, for example `Credits`.
    name: Option<String>,
    /// Used of the plan.
    used: f64,
    /// What the plan holds.
    limit: f64,
    /// What is left of the plan, the trial and the gifts.
    remaining: f64,
    /// What the plan, the trial and the gifts hold.
    #[serde(skip)]
    included: f64,
    /// When it is full again, in seconds since the epoch.
    resets_at: Option<u64>,
    /// A trial that can be used now.
    free_trial: Option<Extra>,
    /// Gifts that can be used now, together.
    bonuses: Option<Extra>,
    /// Used beyond the plan.
    overage_used: f64,
    /// What was charged for that in this period.
    overage_charges: f64,
    /// In which currency, for example `USD`.
    overage_currency: Option<String>,
}

/// What there is besides the plan.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "QuotaExtra"))]
struct Extra {
    used: f64,
    limit: f64,
    remaining: f64,
    /// When the first of it ends, in seconds since the epoch.
    expires_at: Option<u64>,
}

impl Quota {
    pub(crate) fn of(limits: &UsageLimits) -> Self {
        let resources = limits.breakdown.iter().map(Resource::of).collect();
        Self {
            title: limits.subscription.title.clone(),
            resets_at: limits.next_reset,
            overage_enabled: limits.overage_enabled,
            ..Self::summed(resources)
        }
    }

    /// Several accounts as one. What names one of them is not in it: gifts have names, accounts have.
    pub(crate) fn together<'a>(quotas: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut whole = Self::default();
        let mut titles: Vec<&str> = Vec::new();
        for quota in quotas {
            titles.extend(quota.title.as_deref());
            whole.resets_at = first(whole.resets_at, quota.resets_at);
            let enabled = [whole.overage_enabled, quota.overage_enabled];
            whole.overage_enabled = enabled.into_iter().flatten().reduce(|a, b| a || b);
            for resource in &quota.resources {
                let mut known = whole.resources.iter_mut();
                match known.find(|known| known.resource == resource.resource) {
                    Some(known) => known.add(resource),
                    None => whole.resources.push(resource.clone()),
                }
            }
        }
        titles.sort_unstable();
        titles.dedup();
        Self {
            title: (!titles.is_empty()).then(|| titles.join(", ")),
            resets_at: whole.resets_at,
            overage_enabled: whole.overage_enabled,
            ..Self::summed(whole.resources)
        }
    }

    fn summed(resources: Vec<Resource>) -> Self {
        let sum = |part: fn(&Resource) -> f64| resources.iter().map(part).sum::<f64>();
        let (remaining, included) = (sum(|it| it.remaining), sum(|it| it.included));
        let unit = resources.first().and_then(|first| first.resource.clone());
        Self {
            title: None,
            used: sum(|it| it.used),
            limit: sum(|it| it.limit),
            remaining,
            remaining_share: (included > 0.0).then(|| remaining / included),
            unit: unit.filter(|_| resources.len() == 1),
            resets_at: None,
            overage_enabled: None,
            resources,
        }
        .with_reset()
    }

    /// Where the whole has no reset of its own, the first of its parts.
    fn with_reset(mut self) -> Self {
        let resets = self.resources.iter().map(|it| it.resets_at);
        self.resets_at = resets.fold(None, first);
        self
    }

    /// Whether less than this share is left.
    pub(crate) fn is_below(&self, share: f64) -> bool {
        self.remaining_share.is_some_and(|left| left < share)
    }
}

impl Resource {
    fn of(part: &UsageBreakdown) -> Self {
        let trial = part.free_trial.iter().filter(|trial| trial.active);
        let gifts = part.bonuses.iter().filter(|gift| gift.active);
        Self {
            resource: part.resource_type.clone(),
            name: part.display_name.clone(),
            used: part.used.unwrap_or_default(),
            limit: part.limit.unwrap_or_default(),
            remaining: part.included_left().unwrap_or_default(),
            included: part.included().unwrap_or_default(),
            resets_at: part.next_reset,
            free_trial: trial.map(Extra::of).reduce(Extra::and),
            bonuses: gifts.map(Extra::of).reduce(Extra::and),
            overage_used: part.overage.used.unwrap_or_default(),
            overage_charges: part.overage.charges.unwrap_or_default(),
            overage_currency: part.overage.currency.clone(),
        }
    }

    /// Adds the same of another account.
    fn add(&mut self, other: &Self) {
        self.used += other.used;
        self.limit += other.limit;
        self.remaining += other.remaining;
        self.included += other.included;
        self.resets_at = first(self.resets_at, other.resets_at);
        let both = |one: &Option<Extra>, other: &Option<Extra>| {
            let both = [one, other].into_iter().flatten().cloned();
            both.reduce(Extra::and)
        };
        self.free_trial = both(&self.free_trial, &other.free_trial);
        self.bonuses = both(&self.bonuses, &other.bonuses);
        self.overage_used += other.overage_used;
        self.overage_charges += other.overage_charges;
        // A sum of two currencies would be none.
        if self.overage_currency != other.overage_currency {
            self.overage_currency = None;
        }
    }
}

impl Extra {
    fn of(bonus: &Bonus) -> Self {
        let (used, limit) = (
            bonus.used.unwrap_or_default(),
            bonus.limit.unwrap_or_default(),
        );
        Self {
            used,
            limit,
            remaining: (limit - used).max(0.0),
            expires_at: bonus.expires,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            used: self.used + other.used,
            limit: self.limit + other.limit,
            remaining: self.remaining + other.remaining,
            expires_at: first(self.expires_at, other.expires_at),
        }
    }
}

/// The earlier of two times, or the one that is known.
fn first(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(used: f64, bonus: &str, reset: u64) -> UsageLimits {
        let body = serde_json::json!({
            "nextDateReset": reset,
            "subscriptionInfo": {"subscriptionTitle": "KIRO PRO"},
            "overageConfiguration": {"overageStatus": "DISABLED"},
            "usageBreakdownList": [{
                "resourceType": "CREDIT",
                "displayNamePlural": "Credits",
                "currentUsageWithPrecision": used,
                "usageLimit": 1000,
                "overageCap": 10_000,
                "freeTrialInfo": {"freeTrialStatus": "EXPIRED", "currentUsage": 0, "usageLimit": 500},
                "bonuses": [{"displayName": bonus, "status": "ACTIVE", "currentUsage": 12.5, "usageLimit": 100, "expiresAt": 9}],
            }],
            "userInfo": {"userId": "someone", "email": "person@example.com"},
        });
        UsageLimits::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn gifts_that_can_be_used_count_and_what_is_over_or_paid_for_does_not() {
        let quota = Quota::of(&limits(412.5, "Welcome", 7));
        assert_eq!((quota.used, quota.limit), (412.5, 1000.0));
        assert_eq!(quota.remaining, 587.5 + 87.5);
        assert_eq!(quota.remaining_share, Some(675.0 / 1100.0));
        assert_eq!(quota.unit.as_deref(), Some("CREDIT"));
        assert_eq!(quota.resets_at, Some(7));
        assert_eq!(quota.resources[0].free_trial, None);
        assert!(quota.is_below(0.7) && !quota.is_below(0.6));
    }

    #[test]
    fn several_accounts_are_one_sum_that_names_none() {
        let quotas = [
            Quota::of(&limits(100.0, "for Ann", 8)),
            Quota::of(&limits(2_000.0, "for Bob", 7)),
        ];
        let whole = Quota::together(&quotas);
        assert_eq!((whole.used, whole.limit), (2_100.0, 2_000.0));
        assert_eq!(whole.remaining, 900.0 + 87.5 + 87.5);
        assert_eq!(
            (whole.title.as_deref(), whole.resets_at),
            (Some("KIRO PRO"), Some(7))
        );
        assert_eq!(whole.resources.len(), 1);
        let text = serde_json::to_string(&whole).unwrap();
        for name in ["Ann", "Bob", "person", "someone"] {
            assert!(!text.contains(name), "{text}");
        }
    }

    #[test]
    fn an_answer_without_figures_warns_of_nothing() {
        let quota = Quota::of(&UsageLimits::parse(b"{}").unwrap());
        assert_eq!((quota.remaining_share, quota.unit.as_deref()), (None, None));
        assert!(!quota.is_below(1.0));
    }
}
