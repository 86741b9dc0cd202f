//! Replacing a file of somebody else's in one step.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

/// What became of an attempt to replace a file.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// The new content is on the disk.
    Done,
    /// Nobody may write here, and trying again would not change that.
    ReadOnly(io::Error),
}

/// How much older than the file just written a temporary file has to be to be nobody's. A write-back takes
/// milliseconds; one that was asleep for longer fails and is tried again.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);

/// Replaces a file of our own by a text, in one step: whoever dies in between leaves the old content or the new
/// one. A new file is for its owner alone. Blocks.
///
/// # Errors
///
/// The file is as it was.
pub fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match replace(path, text, before.as_ref())? {
        Replaced::Done => Ok(()),
        Replaced::ReadOnly(error) => Err(error),
    }
}

/// Replaces the content of `target`, which is not a symbolic link, by a JSON text. `like` is what the file
/// was like, if there was one: its mode and its owner are kept.
///
/// A process that dies in between leaves a temporary file and the old content, or the new content. The
/// temporary file is in nobody's way, and is removed by a later write-back.
pub(crate) fn replace(target: &Path, text: &str, like: Option<&Metadata>) -> io::Result<Replaced> {
    if like.is_some_and(|metadata| metadata.permissions().readonly()) {
        // A rename would get past the protection, since it asks the folder and not the file.
        return Ok(Replaced::ReadOnly(ErrorKind::PermissionDenied.into()));
    }
    let temporary = match Temporary::create(target) {
        Ok(temporary) => temporary,
        Err(error) => return unless_read_only(error),
    };
    passing("created")?;
    temporary.write(text)?;
    passing("written")?;
    if let Some(metadata) = like
        && let Err(error) = temporary.make_like(metadata)
    {
        return unless_read_only(error);
    }
    passing("made-like")?;
    temporary.sync()?;
    match temporary.rename_to(target) {
        Ok(()) => {}
        // A file that is mounted by itself, as containers do it, cannot be renamed over.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            if let Err(error) = rewrite(target, text) {
                return unless_read_only(error);
            }
        }
        Err(error) => return Err(error),
    }
    // The new content is safe whether or not the leftovers of others can be removed.
    let _ = remove_leftovers(target);
    Ok(Replaced::Done)
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
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        loop {
            let path = Self::next_path(target);
            match options.open(&path) {
                // Left by a process that had our id, as the only process of a container always has.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    return Ok(Self {
                        path,
                        file,
                        renamed: false,
                    });
                }
            }
        }
    }

    fn next_path(target: &Path) -> PathBuf {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = Self::prefix(target);
        target.with_file_name(format!("{prefix}{}-{count}.tmp", std::process::id()))
    }

    fn prefix(target: &Path) -> String {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        format!(".{name}.")
    }

    /// Whether a file of this name, in the folder of `target`, is one of ours.
    fn is_name_for(target: &Path, name: &str) -> bool {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        name.strip_prefix(&Self::prefix(target))
            .and_then(|rest| rest.strip_suffix(".tmp"))
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(process, count)| is_number(process) && is_number(count))
    }

    /// In two halves, so that a test can die between them.
    fn write(&self, text: &str) -> io::Result<()> {
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        (&self.file).write_all(first)?;
        passing("half-written")?;
        (&self.file).write_all(second)
    }

    fn make_like(&self, metadata: &Metadata) -> io::Result<()> {
        give_back(&self.file, metadata)?;
        self.file.set_permissions(metadata.permissions())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        passing("synced")?;
        fs::rename(&self.path, target)?;
        self.renamed = true;
        passing("renamed")?;
        sync_folder(target)?;
        passing("folder-synced")
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
    match File::open(folder_of(target))?.sync_all() {
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

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes over the old content. JSON may end in any number of blanks, and they keep the file whole at every
/// moment: room for a longer text is made with them, so that a full disk is met before anything is lost,
/// and what is left of a longer one is blanked in the same write, before it is cut off.
fn rewrite(target: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(target)?;
    let old = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if let Err(error) = make_room(&mut file, text.len().saturating_sub(old)) {
        file.set_len(old as u64)?;
        return Err(error);
    }
    let mut padded = Zeroizing::new(String::with_capacity(text.len().max(old)));
    padded.push_str(text);
    padded.extend(std::iter::repeat_n(' ', old.saturating_sub(text.len())));
    file.seek(SeekFrom::Start(0))?;
    file.write_all(padded.as_bytes())?;
    passing("rewritten")?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

fn make_room(file: &mut File, bytes: usize) -> io::Result<()> {
    file.seek(SeekFrom::End(0))?;
    file.write_all(&vec![b' '; bytes])?;
    passing("extended")
}

/// Removes the temporary files of processes that died in a write-back. They hold tokens.
fn remove_leftovers(target: &Path) -> io::Result<()> {
    // Both times come from the clock of the file system, so they can be compared.
    let written_at = fs::metadata(target)?.modified()?;
    for entry in fs::read_dir(folder_of(target))? {
        let entry = entry?;
        if !Temporary::is_name_for(target, &entry.file_name().to_string_lossy()) {
            continue;
        }
        let age = written_at.duration_since(entry.metadata()?.modified()?);
        if age.is_ok_and(|age| age > LEFTOVER_AGE) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Where a test may end the process, or let the write-back fail with the number of an error of the system.
#[cfg(feature = "failpoints")]
fn passing(step: &str) -> io::Result<()> {
    fail::fail_point!(&format!("replace::{step}"), |errno: Option<String>| {
        let errno = errno.and_then(|errno| errno.parse().ok());
        Err(errno.map_or_else(
            || io::Error::other("as the test wishes"),
            io::Error::from_raw_os_error,
        ))
    });
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
fn passing(_step: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewriting_leaves_nothing_of_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mounted.json");
        for old in ["old and long", "", "new"] {
            fs::write(&path, old).unwrap();
            rewrite(&path, "new").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        }
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

    /// The names of the temporary files that are left in the folder.
    fn leftovers(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "target.json").collect();
        names.sort();
        names
    }

    #[test]
    fn temporary_file_disappears_unless_it_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.json");
        drop(Temporary::create(&target).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    /// In a container the process has the same id after each restart, and counts from the start.
    #[test]
    fn leftover_of_a_process_with_our_id_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.json");
        let taken: Vec<Temporary> = (0..3)
            .map(|_| Temporary::create(&target).unwrap())
            .collect();
        let next = Temporary::next_path(&target);
        let (stem, count) = next.to_str().unwrap().rsplit_once('-').unwrap();
        let count: u64 = count.strip_suffix(".tmp").unwrap().parse().unwrap();
        for ahead in 1..=20 {
            fs::write(format!("{stem}-{}.tmp", count + ahead), "").unwrap();
        }
        replace(&target, "{}", None).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "{}");
        drop(taken);
    }

    #[test]
    fn old_leftovers_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.json");
        fs::write(&target, "{}").unwrap();
        let now = fs::metadata(&target).unwrap().modified().unwrap();
        let kept = [
            ".other.json.12-0.tmp",
            ".target.json.12-.tmp",
            ".target.json.12-0.tmp.bak",
            ".target.json.backup-1.tmp",
            "target.json.12-0.tmp",
        ];
        for name in kept.iter().chain(&[".target.json.12-0.tmp"]) {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(now - LEFTOVER_AGE * 2).unwrap();
        }
        let young = ".target.json.12-1.tmp";
        fs::write(folder.path().join(young), "").unwrap();
        replace(&target, "{\"new\":1}", None).unwrap();
        let mut expected: Vec<&str> = kept.into_iter().chain([young]).collect();
        expected.sort_unstable();
        assert_eq!(leftovers(folder.path()), expected);
    }
}
