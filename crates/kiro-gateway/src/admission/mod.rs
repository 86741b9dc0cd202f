//! Who is let in: the limits of each key and caller, and those of the whole gateway.
//!
//! All of it happens before a request's body is read, but for counting the tokens in it.

mod book;
mod budget;
mod callers;
#[cfg(all(feature = "redis", feature = "test-util"))]
mod door;
mod gate;
mod gcra;
#[cfg(feature = "redis")]
mod ledger;
#[cfg(not(feature = "redis"))]
#[path = "no_ledger.rs"]
mod ledger;
mod limits;
mod memory;
mod name;
mod pass;
mod slots;
mod tally;
mod whole;

pub use book::{BadCredits, CreditBook, Merged};
pub(crate) use callers::Callers;
#[cfg(all(feature = "redis", feature = "test-util"))]
pub use door::{Door, Entered, Refused};
pub(crate) use gate::Gate;
pub(crate) use gcra::{Level, Rate, Taken};
pub use limits::Limits;
pub(crate) use memory::{Held, Memory};
pub(crate) use name::GateName;
pub(crate) use pass::{Gates, Pass, Standing};
pub(crate) use tally::Tally;
pub(crate) use whole::Admission;
pub use whole::AdmissionOptions;
