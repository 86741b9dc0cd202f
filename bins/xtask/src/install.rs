//! Installing once, and again only when the list of packages has changed.

use std::fs;
use std::path::Path;

use crate::Failure;

/// The file that tells what a folder was made from. It is written last, so that half an installation is
/// never taken for a whole one.
const STAMP: &str = ".made-from";

/// Empties `folder` and fills it by `install`, unless it was made from the same `source` before.
///
/// # Errors
///
/// The folder cannot be written, or the installation fails.
pub(crate) fn once(
    folder: &Path,
    source: &str,
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == source) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    install()?;
    fs::write(stamp, source)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_a_changed_list_is_installed_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("packages");
        let count = Cell::new(0);
        let install = || {
            count.set(count.get() + 1);
            Ok(())
        };
        for (source, times) in [("a==1", 1), ("a==1", 1), ("a==2", 2), ("a==2", 2)] {
            once(&folder, source, install).unwrap();
            assert_eq!(count.get(), times, "{source}");
        }
        assert!(once(&folder, "a==3", || Err("no network".into())).is_err());
        once(&folder, "a==3", install).unwrap();
        assert_eq!(count.get(), 3, "a failed installation is tried again");
    }
}
