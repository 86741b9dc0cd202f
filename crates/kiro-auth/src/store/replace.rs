//! Replacing a file of somebody else's in one step.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of an attempt to replace a file.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// The new content is on the disk.
    Done,
    /// Nobody may write here, and trying again would not change that.
    ReadOnly(io::Error),
}

/// Replaces the content of `target`, which is not a symbolic link. `like` is what the file was like, if
/// there was one: its mode and its owner are kept.
pub(crate) fn replace(target: &Path, text: &str, like: Option<&Metadata>) -> io::Result<Replaced> {
    if like.is_some_and(|metadata| metadata.permissions().readonly()) {
        // A rename would get past the protection, since it asks the folder and not the file.
        return Ok(Replaced::ReadOnly(ErrorKind::PermissionDenied.into()));
    }
    let temporary = match Temporary::create(target) {
        Ok(temporary) => temporary,
        Err(error) => return unless_read_only(error),
    };
    temporary.write(text)?;
    if let Some(metadata) = like
        && let Err(error) = temporary.make_like(metadata)
    {
        return unless_read_only(error);
    }
    temporary.sync()?;
    match temporary.rename_to(target) {
        // A file that is mounted by itself, as containers do it, cannot be renamed over.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => match rewrite(target, text) {
            Ok(()) => Ok(Replaced::Done),
            Err(error) => unless_read_only(error),
        },
        result => result.map(|()| Replaced::Done),
    }
}

fn unless_read_only(error: io::Error) -> io::Result<Replaced> {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Ok(Replaced::ReadOnly(error))
        }
        _ => Err(error),
    }
}

/// A file beside the target that disappears unless it is renamed.
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = target.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok(Self {
            path,
            file,
            renamed: false,
        })
    }

    fn write(&self, text: &str) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())
    }

    fn make_like(&self, metadata: &Metadata) -> io::Result<()> {
        give_back(&self.file, metadata)?;
        self.file.set_permissions(metadata.permissions())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.renamed = true;
        sync_folder(target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gives the new file to the old one's owner. A gateway that runs as root would otherwise lock the IDE
/// out of its own file.
#[cfg(unix)]
pub(super) fn give_back(file: &File, owner: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        // The group alone does not lock anybody out, since the mode is the owner's as a rule.
        Err(_) if ours.uid() == owner.uid() => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
pub(super) fn give_back(_file: &File, _owner: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the rename itself survive a power cut, where a folder can be opened and synced.
fn sync_folder(target: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match File::open(folder)?.sync_all() {
        // Some network file systems do not know the notion.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Writes over the old content, and cuts off what is left of it only then.
fn rewrite(target: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(target)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewriting_leaves_nothing_of_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mounted.json");
        fs::write(&path, "old and long").unwrap();
        rewrite(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn read_only_is_told_from_what_may_pass() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert!(matches!(
                unless_read_only(kind.into()),
                Ok(Replaced::ReadOnly(_))
            ));
        }
        for kind in [
            ErrorKind::StorageFull,
            ErrorKind::NotFound,
            ErrorKind::QuotaExceeded,
        ] {
            assert_eq!(unless_read_only(kind.into()).unwrap_err().kind(), kind);
        }
    }

    #[test]
    fn temporary_file_disappears_unless_it_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.json");
        drop(Temporary::create(&target).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
