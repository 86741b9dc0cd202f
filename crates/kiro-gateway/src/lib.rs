#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admission;
mod beginning;
mod bell;
mod body;
mod bounds;
mod brake;
pub mod capture;
mod catalog;
mod caught;
mod clock;
mod closing;
mod coding;
mod cors;
mod deadline;
mod endpoint;
mod error;
mod exchange;
mod gateway;
mod handshake;
mod image;
mod job;
mod kept;
mod key;
mod observation;
mod options;
mod pace;
#[cfg(feature = "pages")]
mod pages;
mod process;
mod quota;
mod relay;
mod response;
mod routes;
mod search;
mod server;
mod shared;
mod surface;
mod telemetry;
mod tenant;
mod unread;
mod upstream;
mod usage;
mod values;

pub use admission::{AdmissionOptions, BadCredits, CreditBook, Limits, Merged};
#[cfg(all(feature = "redis", feature = "test-util"))]
pub use admission::{Door, Entered, Refused};
pub use body::Body;
pub use brake::Peer;
pub use catalog::ModelOptions;
pub use cors::AllowedOrigins;
pub use error::{Error, ErrorKind, Overflow};
pub use gateway::Gateway;
pub use image::{FetchImages, ImageOptions};
pub use kept::KeepOptions;
pub use key::{AccessKey, KeyDigest, NoDigest};
pub use options::{GatewayOptions, MIN_KEY_LENGTH, QuotaOptions, Reasoning, SetupError, Timeouts};
pub use process::ProcessState;
pub use server::{ServerOptions, serve, serve_watched};
pub use surface::{Accepted, Context, Mode, ReplyEncoder, Surface};
#[cfg(feature = "otel")]
pub use telemetry::OpenTelemetry;
pub use tenant::{GuestOptions, MakePool};
pub use upstream::UpstreamOptions;
