//! Signing in over HTTP, with hyper and Tokio.

mod browser;
mod device;
mod loopback;
mod portal;
mod start;

pub use self::browser::BrowserSignIn;
pub use self::device::DeviceSignIn;
pub use self::portal::{PortalOutcome, PortalSignIn};
pub use self::start::{SignIn, SignInOptions};
