//! Lines of standard input, as they are typed or pasted.

use tokio::sync::mpsc;

/// The lines to come. It ends with the input.
///
/// A thread reads them, which the end of the program does not wait for: nothing else can be left in the middle of
/// reading a terminal.
pub(crate) fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
