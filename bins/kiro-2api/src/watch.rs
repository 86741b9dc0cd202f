//! Noticing that a file has changed.
//!
//! The files are small and few, so they are read every two seconds and their contents compared. What the kernel
//! tells about changes would come sooner, but not at all from network file systems and some containers, not through
//! a replaced symbolic link (as Kubernetes renews what it mounts), and only about files that exist.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(2);

/// Some files and what was in them.
pub(crate) struct Watch {
    seen: BTreeMap<PathBuf, Content>,
}

/// A hash of what is in a file, which may be secret; `None` where it cannot be read.
type Content = Option<u64>;

impl Watch {
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut watch = Self {
            seen: BTreeMap::new(),
        };
        watch.set_files(files);
        watch
    }

    /// Watches these files. For those that it watches already, what was seen last counts.
    pub(crate) fn set_files(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let seen = |file: PathBuf| {
            let content = match self.seen.get(&file) {
                Some(content) => *content,
                None => content(&file),
            };
            (file, content)
        };
        self.seen = files.into_iter().map(seen).collect();
    }

    /// Takes the files as they are.
    pub(crate) fn look(&mut self) {
        self.seen = contents(self.seen.keys());
    }

    /// Resolves when a file has changed and has then been the same for one interval: whoever writes it, or
    /// a certificate and then its key, is done by then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn changed(&mut self) {
        let mut before = self.seen.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let files = self.seen.keys().cloned().collect::<Vec<_>>();
            let reading = tokio::task::spawn_blocking(move || contents(&files));
            // It does not panic; and when the runtime ends, so does this.
            let Ok(now) = reading.await else { continue };
            if now == before && now != self.seen {
                self.seen = now;
                return;
            }
            before = now;
        }
    }
}

fn contents<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> BTreeMap<PathBuf, Content> {
    let files = files.into_iter();
    files.map(|file| (file.clone(), content(file))).collect()
}

fn content(file: &Path) -> Content {
    let bytes = std::fs::read(file).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_noticed_once_whether_a_file_comes_changes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let mut watch = Watch::new([file.clone()]);
        let is_quiet = async |watch: &mut Watch| {
            let minute = Duration::from_secs(60);
            tokio::time::timeout(minute, watch.changed()).await.is_err()
        };
        assert!(is_quiet(&mut watch).await);
        for content in [Some("one"), Some("two"), None, Some("two")] {
            match content {
                Some(content) => fs::write(&file, content).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            watch.changed().await;
            assert!(is_quiet(&mut watch).await, "{content:?}");
        }
        // The same again is no change, whatever its date.
        fs::write(&file, "two").unwrap();
        assert!(is_quiet(&mut watch).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_left_alone_while_it_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let mut watch = Watch::new([file.clone()]);
        let mut changed = std::pin::pin!(watch.changed());
        // It is written in the middle between two looks.
        let _ = tokio::time::timeout(INTERVAL / 2, &mut changed).await;
        for n in 0..5 {
            fs::write(&file, "x".repeat(n)).unwrap();
            let waits = tokio::time::timeout(INTERVAL, &mut changed).await;
            assert!(waits.is_err(), "{n}");
        }
        changed.await;
    }

    #[test]
    fn what_was_seen_of_a_file_is_not_seen_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let mut watch = Watch::new([file.clone()]);
        fs::write(&file, "new").unwrap();
        let before = watch.seen.clone();
        watch.set_files([file]);
        assert_eq!(watch.seen, before);
        watch.look();
        assert_ne!(watch.seen, before);
    }
}
