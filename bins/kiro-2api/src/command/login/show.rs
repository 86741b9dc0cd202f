//! What a person sees while signing in: a link, a QR code of it, and how long there is. All on standard error, so
//! that standard output holds the result alone.

use std::io::IsTerminal as _;
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::config::Source;
use crate::present::duration;

/// Where it is shown.
pub(super) struct Terminal {
    is_terminal: bool,
    /// It can show the half blocks that a QR code is made of.
    shows_blocks: bool,
}

/// Something that moves for as long as it is held.
#[must_use]
pub(super) struct Waiting(Option<ProgressBar>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Terminal {
    pub(super) fn of(source: &Source) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| source.variable(name));
        // The first that is set decides, as for every program.
        let mut locale = locale.into_iter().flatten().filter(|text| !text.is_empty());
        let locale = locale.next().unwrap_or_default().to_ascii_lowercase();
        let is_terminal = std::io::stderr().is_terminal();
        let is_dumb = source.variable("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_terminal,
            shows_blocks: is_terminal && !is_dumb && locale.replace('-', "").contains("utf8"),
        }
    }

    pub(super) fn line(&self, text: &str) {
        eprintln!("{text}");
    }

    /// A link on a line of its own, with a QR code for a phone where that can be shown.
    pub(super) fn link(&self, what: &str, url: &str) {
        eprintln!("\n{what}\n\n  {url}\n");
        if let Some(code) = self.shows_blocks.then(|| qr(url)).flatten() {
            eprintln!("{code}\n");
        }
    }

    /// A spinner with the time that is left; without a terminal, one line.
    pub(super) fn wait(&self, total: Duration) -> Waiting {
        if !self.is_terminal {
            eprintln!("Waiting, at most {}.", duration(total));
            return Waiting(None);
        }
        let left = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let left = total.saturating_sub(state.elapsed());
            // It fails where the terminal does.
            let _ = write!(out, "{}", duration(left));
        };
        let style = ProgressStyle::with_template("{spinner} Waiting for the browser, {left} left")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("left", left);
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Waiting(Some(bar))
    }
}

/// A QR code as half blocks, two rows of it in one line; `None` where it would not fit or the text is too long.
fn qr(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let image = code
        .render::<Dense1x2>()
        // Terminals are dark as a rule, and readers take the inverse too.
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let width = image.lines().next().map_or(0, |line| line.chars().count());
    let size = Term::stderr().size_checked();
    let fits = size.is_some_and(|(_, columns)| width <= usize::from(columns));
    fits.then_some(image)
}
