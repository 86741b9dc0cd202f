#![doc = include_str!("../README.md")]

mod beginning;
mod body;
mod bounds;
mod catalog;
mod coding;
mod cors;
mod deadline;
mod endpoint;
mod error;
mod exchange;
mod gateway;
mod handshake;
mod image;
mod kept;
mod options;
mod relay;
mod response;
mod routes;
mod server;
mod shared;
mod surface;
mod telemetry;
mod tenant;
mod upstream;
mod usage;

pub use body::Body;
pub use catalog::ModelOptions;
pub use cors::AllowedOrigins;
pub use error::{Error, ErrorKind, Overflow};
pub use gateway::Gateway;
pub use image::{FetchImages, ImageOptions};
pub use kept::KeepOptions;
pub use options::{GatewayOptions, MIN_KEY_LENGTH, Reasoning, SetupError, Timeouts};
pub use server::{ServerOptions, serve};
pub use tenant::{GuestOptions, MakePool};
pub use upstream::UpstreamOptions;
