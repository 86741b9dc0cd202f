//! A folder of captures: each file whole or not there, the oldest gone when there are too many.
//!
//! A file is written under another name, `.NAME.tmp`, which its writer holds a lock on, and renamed when it is on the
//! disk. So what a process that was killed has left behind can be told from what another one is writing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kiro_gateway::capture::Bundle;

/// Where captures are kept, and how many.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Bytes of all of them.
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
}

/// Characters of a request's name that are in the name of its file.
const MAX_ID: usize = 48;

impl Folder {
    /// Makes the folder, for its owner alone, and removes what a process that was killed has left half written.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.path)?;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if is_temporary(&entry.file_name().to_string_lossy()) {
                remove_if_nobodys(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes a capture; returns where.
    ///
    /// # Errors
    ///
    /// It was not written, and there is nothing of it.
    pub(crate) fn save(&self, bundle: &Bundle) -> io::Result<PathBuf> {
        let json = bundle.to_json();
        self.make_room(json.len() as u64)?;
        let name = name_of(bundle);
        let (temporary, target) = (self.path.join(format!(".{name}.tmp")), self.path.join(name));
        let written =
            write(&temporary, json.as_bytes()).and_then(|()| fs::rename(&temporary, &target));
        if let Err(error) = written {
            // It may be that there is none.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        Ok(target)
    }

    /// Removes the oldest until one more of this size fits.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        if bytes > self.max_bytes || self.max_files == 0 {
            let why = "one capture is larger than log.capture_max_bytes";
            return Err(io::Error::other(why));
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Others may be in the folder, and other processes that remove files of it.
            if let (true, Ok(metadata)) = (is_capture(&name), entry.metadata()) {
                files.push((name, metadata.len()));
            }
        }
        files.sort();
        let mut sum: u64 = files.iter().map(|(_, length)| length).sum();
        let mut count = files.len();
        for (name, length) in files {
            if sum + bytes <= self.max_bytes && count < self.max_files {
                break;
            }
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            sum -= length;
            count -= 1;
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Where a file system has no locks, its leftovers stay.
    let _ = file.try_lock();
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a temporary file unless somebody is writing it.
fn remove_if_nobodys(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// `20261126T231500.123Z-req_….json`: in order of time, and no two the same.
fn name_of(bundle: &Bundle) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let time: String = bundle.at.replace(['-', ':'], "");
    let id: String = bundle.id.chars().filter(is_plain).take(MAX_ID).collect();
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{time}-{id}-{}.json", &unique[..4])
}

/// Whether a file is one of ours. Nothing else is ever removed.
fn is_capture(name: &str) -> bool {
    let form = "00000000T000000.000Z-";
    let fits = |(form, found): (u8, u8)| match form {
        b'0' => found.is_ascii_digit(),
        form => form == found,
    };
    name.len() > form.len() && name.ends_with(".json") && form.bytes().zip(name.bytes()).all(fits)
}

fn is_temporary(name: &str) -> bool {
    let inner = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"));
    inner.is_some_and(is_capture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(at: &str, id: &str) -> Bundle {
        let json = serde_json::json!({
            "kiro_capture": 1, "id": id, "at": at,
            "gateway": {"version": "", "os": "", "arch": ""},
            "caller": {"key": "", "guest": false},
            "settings": {}, "outcome": {}, "attempts": [], "response": null,
            "request": {"method": "", "path": "", "http": "", "headers": [], "body": null},
        });
        serde_json::from_value(json).unwrap()
    }

    fn folder(path: &Path, max_bytes: u64, max_files: usize) -> Folder {
        let path = path.join("new/captures");
        Folder {
            path,
            max_bytes,
            max_files,
        }
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(&folder.path).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_first_and_files_of_others_stay() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = folder(root.path(), 1 << 20, 3);
        folder.prepare().unwrap();
        fs::write(folder.path.join("0-notes.json"), "mine").unwrap();
        for n in 0..5 {
            let at = format!("2026-11-26T23:15:0{n}.000Z");
            folder.save(&bundle(&at, "req_n/../x")).unwrap();
        }
        let left = names(&folder);
        assert_eq!((left.len(), &*left[0]), (4, "0-notes.json"));
        assert!(
            left[1].starts_with("20261126T231502.000Z-req_nx-"),
            "{left:?}"
        );
        let one = fs::metadata(folder.path.join(&left[1])).unwrap().len();
        folder.max_bytes = 2 * one;
        folder
            .save(&bundle("2026-11-26T23:15:09.000Z", "req_n/../x"))
            .unwrap();
        assert_eq!(
            names(&folder).len(),
            3,
            "the newest, one more, and the notes"
        );
        folder.max_bytes = one - 1;
        assert!(
            folder
                .save(&bundle("2026-11-26T23:15:09.000Z", "req_n/../x"))
                .is_err()
        );
        assert_eq!(names(&folder).len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), 1 << 20, 3);
        folder.prepare().unwrap();
        let file = folder
            .save(&bundle("2026-11-26T23:15:00.000Z", "req"))
            .unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn leftovers_are_removed_unless_somebody_is_writing_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), 1 << 20, 3);
        folder.prepare().unwrap();
        let left = ".20261126T231500.000Z-req-abcd.json.tmp";
        let written = ".20261126T231501.000Z-req-abcd.json.tmp";
        for name in [left, written, ".other.tmp"] {
            fs::write(folder.path.join(name), "{\"half").unwrap();
        }
        let writer = OpenOptions::new()
            .write(true)
            .open(folder.path.join(written))
            .unwrap();
        writer.try_lock().unwrap();
        folder.prepare().unwrap();
        assert_eq!(
            names(&folder),
            [".20261126T231501.000Z-req-abcd.json.tmp", ".other.tmp"]
        );
        drop(writer);
        folder.prepare().unwrap();
        assert_eq!(names(&folder), [".other.tmp"]);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), 1 << 20, 3);
        assert!(
            folder
                .save(&bundle("2026-11-26T23:15:00.000Z", "req"))
                .is_err()
        );
        folder.prepare().unwrap();
        assert!(names(&folder).is_empty());
    }
}
