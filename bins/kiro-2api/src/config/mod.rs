//! The configuration as written: shape, defaults, where it comes from, checks.
//!
//! Layers, the later ones winning: defaults, `kiro-2api.toml`, `.env` in the working directory, the
//! environment, command-line flags.

mod check;
mod defaults;
mod environment;
mod limits;
mod load;
mod shape;
mod source;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use load::ConfigError;
pub(crate) use shape::{
    Account, Admin, Capture, Config, FetchImages, Images, Log, LogFormat, Models, Multiplier,
    Origin, Quota, Reasoning, Responses, Server, Store, StoreKind, Telemetry, Tenants, Timeouts,
    Tls, Upstream,
};
pub(crate) use source::Source;
