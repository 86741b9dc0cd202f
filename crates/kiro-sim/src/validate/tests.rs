//! Every rule is broken at least once; `cases/` holds sound bodies and what is changed in them.

use kiro_protocol::Generation;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::{CredentialKind, Host};

#[derive(Debug, Deserialize)]
struct Case {
    what: String,
    base: String,
    #[serde(default)]
    rule: String,
    /// `both`, `strict` or `lenient`: where the rule is the first to be broken.
    #[serde(default)]
    holds: String,
    change: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {
    at: String,
    #[serde(default)]
    set: Option<Value>,
    #[serde(default)]
    remove: bool,
}

fn base(name: &str) -> Value {
    let text = match name {
        "simple" => include_str!("cases/base-simple.json"),
        "tools" => include_str!("cases/base-tools.json"),
        "image" => include_str!("cases/base-image.json"),
        "thinking" => include_str!("cases/base-thinking.json"),
        other => panic!("no base {other}"),
    };
    serde_json::from_str(text).unwrap()
}

fn body_of(case: &Case) -> Value {
    let mut body = base(&case.base);
    for change in &case.change {
        let (parent, last) = change.at.rsplit_once('/').unwrap();
        let parent = body
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("{}", change.at));
        let value = change.set.clone().unwrap_or_default();
        match parent {
            Value::Object(members) if change.remove => drop(members.remove(last)),
            Value::Object(members) => drop(members.insert(last.to_owned(), expand(value))),
            Value::Array(items) if last == "-" => items.push(expand(value)),
            Value::Array(items) if change.remove => drop(items.remove(last.parse().unwrap())),
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = expand(value),
            _ => panic!("{} has no members", change.at),
        }
    }
    body
}

/// `{"repeat": [x, n]}` stands for n times x: joined text, or a list.
fn expand(value: Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("repeat") => {
            let n = usize::try_from(members["repeat"][1].as_u64().unwrap()).unwrap();
            match &members["repeat"][0] {
                Value::String(text) => text.repeat(n).into(),
                other => vec![other.clone(); n].into(),
            }
        }
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, expand(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(expand).collect(),
        other => other,
    }
}

fn violations() -> Vec<Case> {
    serde_json::from_str(include_str!("cases/violations.json")).unwrap()
}

#[test]
fn sound_bodies_are_accepted() {
    for name in ["simple", "tools", "image", "thinking"] {
        validate(&base(name), &Rules::default()).unwrap();
    }
    let accepted: Vec<Case> = serde_json::from_str(include_str!("cases/accepted.json")).unwrap();
    for case in accepted {
        let result = validate(&body_of(&case), &Rules::default());
        assert_eq!(result, Ok(()), "{}", case.what);
    }
}

#[test]
fn each_violation_is_found_under_its_rule() {
    for case in violations() {
        let body = body_of(&case);
        let strict = validate(&body, &Rules::strict(Generation::Krs));
        let lenient = validate(&body, &Rules::lenient(Generation::Krs));
        let rule = |result: Result<(), Violation>| result.err().map(|violation| violation.rule);
        let (in_strict, in_lenient) = match case.holds.as_str() {
            "both" => (Some(&*case.rule), Some(&*case.rule)),
            "strict" => (Some(&*case.rule), None),
            _ => (rule(strict.clone()), Some(&*case.rule)),
        };
        assert_eq!(rule(strict), in_strict, "strict: {}", case.what);
        assert_eq!(rule(lenient), in_lenient, "lenient: {}", case.what);
    }
}

/// The table on the page of the module is complete: rules without a case have a test of their own.
#[test]
fn each_rule_of_the_table_has_a_case() {
    let elsewhere = ["S2", "S11", "H12", "H14", "E3", "E9", "E17"];
    let page = include_str!("mod.rs");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rules: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert!(rules.len() > 40, "{rules:?}");
    let cases = violations();
    for rule in rules {
        let covered = cases.iter().any(|case| case.rule == rule) || elsewhere.contains(&rule);
        assert!(covered, "no case for rule {rule}");
    }
}

/// Wherever the shape is fixed; what is free is free here too.
#[test]
fn a_member_that_the_service_does_not_know_is_refused_where_that_is_asked_for() {
    let asking = Rules {
        known_members: true,
        ..Rules::default()
    };
    let free = ["/input", "/json", "/additionalModelRequestFields"];
    let mut n_refused = 0;
    for name in ["simple", "tools", "image", "thinking"] {
        assert_eq!(validate(&base(name), &asking), Ok(()), "{name}");
        let mut at = Vec::new();
        places(&base(name), "", &mut at);
        for place in at {
            let mut body = base(name);
            let Some(Value::Object(members)) = body.pointer_mut(&place) else {
                continue;
            };
            members.insert("misspelt".to_owned(), json!("x"));
            if free.iter().any(|free| place.contains(free)) {
                continue;
            }
            let refused = validate(&body, &asking).unwrap_err();
            assert_eq!(refused.rule, "S11", "{place}");
            assert!(refused.detail.ends_with("no member misspelt"), "{refused}");
            assert_eq!(validate(&body, &Rules::default()), Ok(()), "{place}");
            n_refused += 1;
        }
    }
    assert!(n_refused > 30, "{n_refused}");
}

#[test]
fn nesting_is_limited_without_recursion() {
    let mut body = base("simple");
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!([deep]);
    }
    body["unknown"] = deep;
    assert_eq!(validate(&body, &Rules::default()).unwrap_err().rule, "S2");
}

#[test]
fn a_history_may_have_ten_thousand_messages() {
    let mut body = base("simple");
    let pair = [
        json!({"userInputMessage": {"content": "a"}}),
        json!({"assistantResponseMessage": {"content": "b"}}),
    ];
    let mut history: Vec<Value> = pair.iter().cloned().cycle().take(10_000).collect();
    body["conversationState"]["history"] = history.clone().into();
    assert_eq!(validate(&body, &Rules::default()), Ok(()));
    history.extend(pair);
    body["conversationState"]["history"] = history.into();
    assert_eq!(validate(&body, &Rules::default()).unwrap_err().rule, "H12");
    assert_eq!(validate(&body, &Rules::lenient(Generation::Krs)), Ok(()));
}

#[test]
fn the_origin_has_to_fit_the_operation() {
    let with_origin = |origin: &str| {
        let mut body = base("simple");
        body["conversationState"]["currentMessage"]["userInputMessage"]["origin"] = origin.into();
        body
    };
    let mut send_message = Rules::strict(Generation::Cli);
    send_message.send_message = true;
    assert!(validate(&with_origin("KIRO_CLI"), &Rules::strict(Generation::Cli)).is_ok());
    assert!(validate(&with_origin("KIRO_CLI"), &Rules::strict(Generation::Rest)).is_err());
    assert!(validate(&with_origin("CLI"), &send_message).is_ok());
    let violation = validate(&with_origin("AI_EDITOR"), &send_message).unwrap_err();
    assert_eq!(violation.message, "The provided credential is invalid.");
}

#[test]
fn agent_mode_is_asked_for_in_the_newest_generation_only() {
    let mut body = base("simple");
    body.as_object_mut().unwrap().remove("agentMode");
    assert!(validate(&body, &Rules::strict(Generation::Rest)).is_ok());
    assert!(validate(&body, &Rules::strict(Generation::Cli)).is_ok());
    assert_eq!(
        validate(&body, &Rules::strict(Generation::Krs))
            .unwrap_err()
            .rule,
        "S5"
    );
}

#[test]
fn the_profile_depends_on_kind_and_host() {
    use CredentialKind::{ApiKey, BuilderId, ExternalIdp, IdentityCenter, Social};
    use Host::{Legacy, Management, Runtime};

    const TEAM: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/TEAM";
    const OTHER: &str = "arn:aws:codewhisperer:us-east-1:111122223333:profile/OTHER";
    const MADE_UP: &str = "arn:aws:codewhisperer:us-east-1:111122223333:profile/MADEUP";
    const SOCIAL: &str = SOCIAL_PROFILE_ARN;
    const BUILDER: &str = BUILDER_ID_PROFILE_ARN;

    let table: [(CredentialKind, Host, Option<&str>, Option<&str>); 27] = [
        (Social, Runtime, None, Some("E9")),
        (Social, Runtime, Some(SOCIAL), None),
        (Social, Legacy, None, None),
        (Social, Management, None, None),
        (Social, Runtime, Some(BUILDER), Some("E17")),
        (Social, Runtime, Some(OTHER), Some("E17")),
        (Social, Runtime, Some(MADE_UP), Some("E3")),
        (Social, Runtime, Some(""), Some("E3")),
        (Social, Runtime, Some("arn:aws:codewhisperer"), Some("E3")),
        (BuilderId, Runtime, None, Some("E9")),
        (BuilderId, Runtime, Some(BUILDER), None),
        (BuilderId, Legacy, None, None),
        (BuilderId, Legacy, Some(BUILDER), Some("E17")),
        (BuilderId, Management, None, None),
        (BuilderId, Management, Some(BUILDER), None),
        (IdentityCenter, Runtime, None, Some("E9")),
        (IdentityCenter, Legacy, None, Some("E17")),
        (IdentityCenter, Runtime, Some(TEAM), None),
        (IdentityCenter, Legacy, Some(TEAM), None),
        (IdentityCenter, Management, None, None),
        (ExternalIdp, Runtime, None, Some("E9")),
        (ExternalIdp, Legacy, None, Some("E17")),
        (ExternalIdp, Management, None, Some("E17")),
        (ExternalIdp, Runtime, Some(TEAM), None),
        (ApiKey, Runtime, None, None),
        (ApiKey, Legacy, None, None),
        (ApiKey, Runtime, Some(SOCIAL), Some("E17")),
    ];
    for (kind, host, arn, rule) in table {
        let mut holder = Holder::new(kind, host);
        if matches!(kind, IdentityCenter | ExternalIdp) {
            holder.own.push(TEAM.to_owned());
        }
        holder.others.push(OTHER.to_owned());
        let found = check_profile(arn, &holder)
            .err()
            .map(|violation| violation.rule);
        assert_eq!(found, rule, "{kind:?} on {host:?} with {arn:?}");
    }
}

#[test]
fn signed_reasoning_is_found_in_the_history() {
    let body = base("thinking");
    let found: Vec<_> = signed_reasoning(&body).collect();
    let text = "Try small primes. 13 times 17 is 221.";
    assert_eq!(found, [(text, "RVhBTVBMRS1TSUdOQVRVUkUtTk9ULVJFQUw=")]);
}

/// Any JSON of a moderate size.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("iVBORw0KGgo=")),
        Just(json!("tooluse_Qm3vT0n6S0y7l1k2p4r8wA")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z$]{1,12}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// The pointers of every place in a JSON value.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{name}"), out);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

proptest! {
    /// Whatever stands wherever: the rules find it or not, counting and answering go on, nothing panics, and
    /// what the strict rules accept the lenient ones accept too.
    #[test]
    fn no_body_panics(
        name in prop::sample::select(vec!["simple", "tools", "image", "thinking"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
    ) {
        let mut body = base(name);
        for (index, value) in changes {
            let mut at = Vec::new();
            places(&body, "", &mut at);
            *body.pointer_mut(&at[index.index(at.len())]).unwrap() = value;
        }
        let strict = validate(&body, &Rules::strict(Generation::Krs));
        let lenient = validate(&body, &Rules::lenient(Generation::Krs));
        prop_assert!(strict.is_err() || lenient.is_ok());

        crate::tokens::count(&body);
        signed_reasoning(&body).count();
        let text = body.to_string();
        let turn = crate::script::CurrentTurn::of(&body, &text);
        let catalog = crate::Catalog::default();
        let answer = || crate::answer::script(&turn, &catalog.models()[0], std::time::Duration::ZERO);
        prop_assert_eq!(answer(), answer());
    }
}
