//! The answer that a request chooses when no script fits it.

use std::time::Duration;

use crate::catalog::Model;
use crate::script::{CurrentTurn, Script, Step};

/// Chooses an answer by the current turn.
pub(crate) fn script(turn: &CurrentTurn<'_>, _model: &Model, pause: Duration) -> Script {
    let text = format!(
        "You asked: \"{}\". This is the simulated Kiro service.",
        turn.text
    );
    let pieces = text.split_inclusive(' ').map(str::to_owned).collect();
    Script::new().step(Step::TextSlowly { pieces, pause })
}
