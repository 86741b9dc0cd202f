//! Types of known members. Unknown members are ignored at every level, as the generated server does, unless
//! [`Rules::known_members`] asks for their names.

use std::fmt;

use serde_json::{Map, Value};

use super::{Rules, Violation};

/// Nesting that the generated server refuses to follow. Source: the official server SDK.
const MAX_DEPTH: usize = 128;

/// Where in a request something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    State,
    History(usize),
    Current,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => f.write_str("request"),
            Self::State => f.write_str("conversationState"),
            Self::History(index) => write!(f, "history[{index}]"),
            Self::Current => f.write_str("currentMessage"),
        }
    }
}

/// The JSON type of a known member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    List,
    Object,
    /// A rule of its own looks at it, or nobody does.
    Any,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Any => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Any => "anything",
        }
    }
}

/// Checks that the known members of an object have their types and are not null, and where it is asked for that there are
/// no others.
pub(super) fn check_members(
    object: &Map<String, Value>,
    known: &[(&str, Kind)],
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    let is_known = |name: &str| known.iter().any(|(known, _)| *known == name);
    if let Some(name) = object.keys().find(|name| !is_known(name))
        && rules.known_members
    {
        let detail = format!("{place}: the service knows no member {name}");
        return Err(Violation::improper("S11", detail));
    }
    let checked = known.iter().filter(|(_, kind)| *kind != Kind::Any);
    for (name, kind) in checked {
        let Some(value) = object.get(*name) else {
            continue;
        };
        if value.is_null() {
            return Err(Violation::improper(
                "H11",
                format!("{place}: {name} is null"),
            ));
        }
        if !kind.fits(value) {
            let kind = kind.name();
            return Err(Violation::improper(
                "S1",
                format!("{place}: {name} is not {kind}"),
            ));
        }
    }
    Ok(())
}

/// Refuses an empty list in strict mode.
pub(super) fn check_not_empty(
    list: &[Value],
    name: &str,
    place: Place,
    strict: bool,
) -> Result<(), Violation> {
    if strict && list.is_empty() {
        return Err(Violation::improper(
            "H10",
            format!("{place}: {name} is empty"),
        ));
    }
    Ok(())
}

/// The members of an object, or a violation.
pub(super) fn object<'a>(
    value: &'a Value,
    name: &str,
    place: Place,
) -> Result<&'a Map<String, Value>, Violation> {
    match value {
        Value::Object(object) => Ok(object),
        Value::Null => Err(Violation::improper(
            "H11",
            format!("{place}: {name} is null"),
        )),
        _ => Err(Violation::improper(
            "S1",
            format!("{place}: {name} is not an object"),
        )),
    }
}

/// A text member that has passed [`check_members`], or the empty string.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// A list member that has passed [`check_members`], or an empty one.
pub(super) fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Refuses nesting that the service would not follow.
///
/// The walk keeps its own stack, so a hostile body cannot exhaust the thread's.
pub(super) fn check_depth(body: &Value) -> Result<(), Violation> {
    let mut open = vec![(body, 1)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(Violation::improper(
                "S2",
                format!("more than {MAX_DEPTH} levels"),
            ));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}
