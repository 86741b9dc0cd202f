//! Finding the logins that other programs have left on a machine.
//!
//! | file | is |
//! | --- | --- |
//! | `places.rs` | where to look, by platform |
//! | `probe.rs` | looking |
//! | `report.rs` | what was found, for programs and for people |
//! | `choice.rs` | which login to take |

mod choice;
mod places;
mod probe;
mod report;

pub use self::choice::ChoiceReason;
pub use self::places::{Place, Places, Platform, SourceKind};
pub use self::probe::discover;
pub use self::report::{Discovery, Find, LoginFacts, PlaceState};
