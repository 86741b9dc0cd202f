#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod answer;
pub mod catalog;
mod form;
mod kind;
mod millis;
mod operation;
mod options;
mod picture;
mod plane;
mod playback;
mod random;
mod record;
mod refusal;
pub mod script;
mod server;
mod service;
mod sign_in;
mod simulator;
mod state;
mod stream;
mod tokens;
pub mod validate;

pub use account::{AccountId, IssuedCredential};
pub use catalog::Catalog;
pub use kind::{CredentialKind, Host};
pub use operation::Operation;
pub use options::{Rotation, Segmentation, SimOptions};
pub use playback::{Playback, PlaybackEnd};
pub use record::{Ended, Recorded, Refused};
pub use script::{Matcher, Script, Step};
pub use sign_in::{BrowserDecision, DeviceDecision, LoginOption, SignInFault};
pub use simulator::{Late, Simulator};
pub use state::{Connections, SimState};
pub use validate::Strictness;
