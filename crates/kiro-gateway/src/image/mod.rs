//! Pictures that cannot be sent as they are: those named by a URL are fetched, those that are too large
//! are made smaller.
//!
//! ```text
//! Surface::accept ─> Accepted.wanted ── fetch ─> Pictures ─> Surface::accept, once more
//! Accepted.conversation ── fit ─> the same with smaller pictures
//! ```

mod address;
mod fetch;
mod images;
mod options;
#[cfg(feature = "scale")]
mod scale;
mod wanted;

pub(crate) use images::Images;
pub use options::{FetchImages, ImageOptions};
pub(crate) use wanted::{Pictures, Wanted};
