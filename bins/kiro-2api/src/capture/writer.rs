//! The thread that writes captures, and the queue before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, LazyLock};
use std::thread;

use kiro_gateway::capture::{Recorded, Sink};
use tokio::sync::watch;

use super::folder::Folder;

/// Captures that wait to be written. Their memory has a bound of its own.
const QUEUE: usize = 256;

/// Captures of the process that are not written yet.
static WAITING: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Waits until everything that was captured is on the disk.
pub(crate) async fn landed() {
    // The sender is never dropped.
    let _ = WAITING.subscribe().wait_for(|waiting| *waiting == 0).await;
}

/// Counts as waiting until it is dropped.
struct Waiting;

impl Waiting {
    fn new() -> Self {
        WAITING.send_modify(|waiting| *waiting += 1);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.send_modify(|waiting| *waiting -= 1);
    }
}

/// Takes captures over and writes them to a folder. It ends with the last clone of the sink, when all is written.
pub(super) fn sink(folder: Folder) -> Option<Sink> {
    let (sender, receiver) = sync_channel::<(Recorded, Waiting)>(QUEUE);
    let thread = thread::Builder::new().name("capture".to_owned());
    if let Err(error) = thread.spawn(move || write_all(&folder, &receiver)) {
        tracing::error!(%error, "nothing is captured, because there is no thread to write it");
        return None;
    }
    let n_dropped = AtomicU64::new(0);
    Some(Arc::new(move |recorded| {
        if sender.try_send((recorded, Waiting::new())).is_err() {
            let n_dropped = n_dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // A line for each would be too many just when there is much to do.
            if n_dropped.is_power_of_two() {
                tracing::warn!(
                    n_dropped,
                    "captures are dropped: more come than can be written"
                );
            }
        }
    }))
}

fn write_all(folder: &Folder, captures: &Receiver<(Recorded, Waiting)>) {
    let mut fails = false;
    if let Err(error) = folder.prepare() {
        tracing::warn!(folder = %folder.path.display(), %error, "the folder of captures cannot be used");
        fails = true;
    }
    for (recorded, _waiting) in captures {
        let saving = AssertUnwindSafe(|| {
            let bundle = recorded.redact();
            if !folder.path.is_dir() {
                folder.prepare()?;
            }
            folder.save(&bundle)
        });
        match catch_unwind(saving) {
            Ok(Ok(file)) => {
                fails = false;
                tracing::debug!(file = %file.display(), "captured");
            }
            // One line, not one for each: a full disk stays full for a while.
            Ok(Err(error)) if !fails => {
                fails = true;
                tracing::warn!(folder = %folder.path.display(), %error, "captures cannot be written; the next ones are tried without a word");
            }
            Ok(Err(_)) => {}
            Err(_) => tracing::error!("a capture was lost to a fault of the gateway's own"),
        }
    }
}
