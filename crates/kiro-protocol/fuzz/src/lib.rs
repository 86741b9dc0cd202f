//! Fuzz targets of `kiro-protocol`.
//!
//! A target is a function from any bytes to nothing that panics when a promise of the crate is broken.
//! Each has a file here, whose page says how the bytes are read, and a binary in `fuzz_targets` that hands
//! it to libFuzzer:
//!
//! | target | what is made of the bytes | what must hold |
//! | --- | --- | --- |
//! | [`raw_bytes`] | a stream | any cutting gives the same frames; no more is held than a frame |
//! | [`fixed_crc`] | a stream with right checksums | the same; another implementation reads the same |
//! | [`round_trip`] | frames | what is written is read; a stream that breaks off is truncated |
//! | [`reply`] | events, sound and odd | the grammar; nothing said is lost; any cutting gives the same reply |
//! | [`conversation`] | a conversation | the request passes the strict simulator; no word is lost |
//! | [`small_calls`] | an answer with status and headers | errors are bounded; no answer steers us to another host |
//!
//! `cargo xtask fuzz --seconds 60 reply` runs one of them. The test `seeds` runs all of them over the
//! committed seeds, without libFuzzer.

#![forbid(unsafe_code)]

pub mod conversation;
mod cut;
pub mod fixed_crc;
mod frames;
mod input;
pub mod raw_bytes;
pub mod reply;
pub mod round_trip;
pub mod small_calls;

/// A target: takes any bytes and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 6] = [
    ("raw_bytes", raw_bytes::run),
    ("fixed_crc", fixed_crc::run),
    ("round_trip", round_trip::run),
    ("reply", reply::run),
    ("conversation", conversation::run),
    ("small_calls", small_calls::run),
];
