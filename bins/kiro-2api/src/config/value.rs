//! Values that people write in several ways: `"120s"` or `120`, `"64MiB"` or `67108864`.
//!
//! Each module is for `#[serde(with = …)]`. They read text as well as numbers, because everything from
//! the environment is text.

use serde::{Deserialize, Deserializer, Serializer, de};

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Integer(u64),
    Float(f64),
    Text(String),
}

/// Durations: a number of seconds, or text with a unit (`ms`, `s`, `m`, `h`).
pub(super) mod duration {
    use std::time::Duration;

    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = match Scalar::deserialize(from)? {
            Scalar::Integer(seconds) => Some(seconds as f64),
            Scalar::Float(seconds) => Some(seconds),
            Scalar::Text(text) => parse(text.trim()),
        };
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| {
                de::Error::custom(
                    "expected a duration such as `120s`, `500ms`, `5m` or a number of seconds",
                )
            })
    }

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&match duration.subsec_millis() {
            0 => format!("{}s", duration.as_secs()),
            _ => format!("{}ms", duration.as_millis()),
        })
    }

    fn parse(text: &str) -> Option<f64> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: f64 = digits.trim().parse().ok()?;
        let unit = match &text[digits.len()..] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Some(number * unit)
    }
}

/// Sizes in bytes: a number, or text with a unit (`KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`).
pub(super) mod size {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        let bytes = match Scalar::deserialize(from)? {
            Scalar::Integer(bytes) => usize::try_from(bytes).ok(),
            Scalar::Float(_) => None,
            Scalar::Text(text) => parse(text.trim()),
        };
        bytes.ok_or_else(|| {
            de::Error::custom("expected a size such as `64MiB` or a number of bytes")
        })
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &usize, to: S) -> Result<S::Ok, S::Error> {
        const MIB: usize = 1 << 20;
        to.serialize_str(&match bytes % MIB {
            0 => format!("{}MiB", bytes / MIB),
            _ => bytes.to_string(),
        })
    }

    fn parse(text: &str) -> Option<usize> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: usize = digits.trim().parse().ok()?;
        let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return None,
        };
        number.checked_mul(unit)
    }
}

/// Sizes, or `auto` for what the system says.
pub(super) mod size_or_auto {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Auto(Auto),
        Bytes(#[serde(with = "size")] usize),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Auto {
        Auto,
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<usize>, D::Error> {
        match Size::deserialize(from) {
            Ok(Size::Auto(Auto::Auto)) => Ok(None),
            Ok(Size::Bytes(bytes)) => Ok(Some(bytes)),
            Err(_) => Err(de::Error::custom(
                "expected `auto`, a size such as `512MiB` or a number of bytes",
            )),
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<usize>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => size::serialize(bytes, to),
            None => to.serialize_str("auto"),
        }
    }
}

/// Numbers, also written as text.
pub(super) mod number {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: FromStr>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = match Scalar::deserialize(from)? {
            Scalar::Integer(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Text(text) => text,
        };
        text.trim()
            .parse()
            .map_err(|_| de::Error::custom("expected a number"))
    }

    pub(crate) fn serialize<S: Serializer, T: Display>(
        number: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }
}

/// Switches: `true` or `false`, also written as text.
pub(super) mod switch {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Switch {
        Bool(bool),
        Text(String),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
        let error = || de::Error::custom("expected `true` or `false`");
        match Switch::deserialize(from).map_err(|_| error())? {
            Switch::Bool(switch) => Ok(switch),
            Switch::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(error()),
            },
        }
    }

    pub(crate) fn serialize<S: Serializer>(switch: &bool, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(*switch)
    }
}

/// Lists, also written as text with commas.
pub(super) mod list {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Items(Vec<String>),
        Text(String),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        let items = match List::deserialize(from)? {
            List::Items(items) => items,
            List::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        let items = items.iter().map(|item| item.trim().to_owned());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    pub(crate) fn serialize<S: Serializer>(items: &[String], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&items.join(", "))
    }
}

/// Names with a value each, also written as text: `a=b, c=d`.
pub(super) mod map {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        Table(BTreeMap<String, String>),
        Text(String),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<String, String>, D::Error> {
        let error =
            || de::Error::custom("expected a table, or text such as `name=value, name=value`");
        match Names::deserialize(from).map_err(|_| error())? {
            Names::Table(names) => Ok(names),
            Names::Text(text) => {
                let pairs = text
                    .split(',')
                    .map(str::trim)
                    .filter(|pair| !pair.is_empty());
                let pair = |pair: &str| {
                    let (name, value) = pair.split_once('=')?;
                    Some((name.trim().to_owned(), value.trim().to_owned()))
                };
                let pairs = pairs.map(pair).collect::<Option<_>>();
                pairs.ok_or_else(error)
            }
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        names: &BTreeMap<String, String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs = names.iter().map(|(name, value)| format!("{name}={value}"));
        to.serialize_str(&pairs.collect::<Vec<_>>().join(", "))
    }
}

/// Secrets, written as text and never shown.
pub(super) mod secret {
    use kiro_auth::Secret;

    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        Ok(text.map(Secret::new))
    }

    pub(crate) fn serialize<S: Serializer>(_: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_none()
    }
}
