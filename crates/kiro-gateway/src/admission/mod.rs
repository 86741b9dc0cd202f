//! Who is let in: the limits of each key and caller, and those of the whole gateway.
//!
//! All of it happens before a request's body is read, but for counting the tokens in it.

mod budget;
mod gate;
mod gcra;
mod limits;
mod memory;
mod pass;
mod slots;
mod whole;

pub(crate) use gate::Gate;
pub(crate) use gcra::{Level, Rate, Taken};
pub use limits::Limits;
pub(crate) use memory::{Held, Memory};
pub(crate) use pass::{Gates, Pass, Standing};
pub(crate) use whole::Admission;
pub use whole::AdmissionOptions;
