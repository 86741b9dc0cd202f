//! The last line before the system ends the process for want of memory: close to the ceiling the gateway takes
//! nothing new on.
//!
//! The ceiling is that of the control group that the process is in, unless the configuration names one. Linux only:
//! other systems do not say so cheaply how much a process may have.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kiro_gateway::ProcessState;

/// How often it is looked at. A look costs some reads from the kernel's own files.
const PAUSE: Duration = Duration::from_millis(100);

/// Of the ceiling, in hundredths: from where on nothing is taken on, and below which it is again. In between
/// it stays as it was, so that it does not change its mind with every request.
const HIGH: u64 = 90;
const LOW: u64 = 80;

/// How much is used and how much there is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    used: u64,
    ceiling: u64,
}

impl Reading {
    /// Whether memory is short, if it was or was not before.
    fn is_short(self, was_short: bool) -> bool {
        let mark = if was_short { LOW } else { HIGH };
        // More than a thousandth of what 64 bits can tell is no memory of today.
        self.used >= self.ceiling.saturating_mul(mark) / 100
    }
}

/// What is looked at.
enum Gauge {
    /// The process itself, beside a ceiling of the configuration.
    Process { ceiling: u64 },
    /// A control group and those that it is in, from the inside to the outside.
    Groups(Vec<Group>),
}

/// A folder of a control group, in one of the two forms that there are.
enum Group {
    V2(PathBuf),
    V1(PathBuf),
}

/// Watches the memory, if there is a ceiling, until the process ends. `configured` in bytes: `None` for that of the
/// control group, 0 for none.
pub(crate) fn watch(configured: Option<usize>, process: Arc<ProcessState>) {
    let gauge = match configured {
        Some(0) => return,
        Some(ceiling) => Gauge::Process {
            ceiling: ceiling as u64,
        },
        None => Gauge::Groups(groups(Path::new("/"))),
    };
    let Some(reading) = gauge.read() else {
        return;
    };
    tracing::info!(
        ceiling_mib = reading.ceiling >> 20,
        used_mib = reading.used >> 20,
        "memory is watched"
    );
    // A thread of its own looks in time, however busy those are that serve.
    let looking = thread::Builder::new().name("memory".into());
    let looking = looking.spawn(move || {
        loop {
            look(&gauge, &process);
            thread::sleep(PAUSE);
        }
    });
    if let Err(error) = looking {
        tracing::warn!(%error, "memory cannot be watched");
    }
}

fn look(gauge: &Gauge, process: &ProcessState) {
    let Some(reading) = gauge.read() else {
        return;
    };
    let was_short = process.is_short_of_memory();
    let is_short = reading.is_short(was_short);
    if is_short == was_short {
        return;
    }
    process.set_short_of_memory(is_short);
    let (used_mib, ceiling_mib) = (reading.used >> 20, reading.ceiling >> 20);
    if is_short {
        tracing::warn!(
            used_mib,
            ceiling_mib,
            "memory is short; new requests are refused"
        );
    } else {
        tracing::info!(
            used_mib,
            ceiling_mib,
            "there is memory again; requests are taken on"
        );
    }
}

impl Gauge {
    /// Of several ceilings the one that is closest.
    fn read(&self) -> Option<Reading> {
        match self {
            Self::Process { ceiling } => Some(Reading {
                used: resident(Path::new("/"))?,
                ceiling: *ceiling,
            }),
            Self::Groups(groups) => {
                let readings = groups.iter().filter_map(Group::read);
                readings.min_by_key(|reading| reading.ceiling.saturating_sub(reading.used))
            }
        }
    }
}

/// What the process holds in memory.
pub(crate) fn resident(root: &Path) -> Option<u64> {
    let status = fs::read_to_string(root.join("proc/self/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The control groups that the process is in (cgroups(7)): `0::/path` in the new form, `4:memory:/path` in the
/// old one, below where they are mounted as a rule. A container sees its own group as the outermost, under
/// whatever path, so what is not there is passed over.
fn groups(root: &Path) -> Vec<Group> {
    let Ok(of_process) = fs::read_to_string(root.join("proc/self/cgroup")) else {
        return Vec::new();
    };
    let mut groups = Vec::new();
    for line in of_process.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        let mount = root.join("sys/fs/cgroup");
        let above = |mount: PathBuf| {
            let folder = mount.join(path);
            let folders: Vec<PathBuf> = folder
                .ancestors()
                .take_while(|folder| folder.starts_with(&mount))
                .map(Path::to_path_buf)
                .collect();
            folders
        };
        match kinds {
            "" => groups.extend(above(mount).into_iter().map(Group::V2)),
            kinds if kinds.split(',').any(|kind| kind == "memory") => {
                groups.extend(above(mount.join("memory")).into_iter().map(Group::V1));
            }
            _ => {}
        }
    }
    groups.retain(|group| group.read().is_some());
    groups
}

impl Group {
    /// `None` where there is no ceiling.
    fn read(&self) -> Option<Reading> {
        let (folder, current, ceilings, cache) = match self {
            Self::V2(folder) => (
                folder,
                "memory.current",
                // Beyond `high` the processes are slowed down until they hardly move.
                &["memory.max", "memory.high"][..],
                "inactive_file ",
            ),
            Self::V1(folder) => (
                folder,
                "memory.usage_in_bytes",
                &["memory.limit_in_bytes"][..],
                "total_inactive_file ",
            ),
        };
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        // "max" is no number; the old form says so with one that is larger than any memory.
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let ceilings = ceilings.iter().filter_map(|file| number(file));
        let ceiling = ceilings.min().filter(|ceiling| *ceiling < 1 << 60)?;
        // What the kernel keeps of files that nobody uses goes first when memory gets short.
        let statistics = read("memory.stat").unwrap_or_default();
        let cached = statistics.lines().find_map(|line| line.strip_prefix(cache));
        let cached = cached.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        let used = number(current)?.saturating_sub(cached);
        Some(Reading { used, ceiling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays_short_until_much_is_free() {
        let at = |used| Reading {
            used,
            ceiling: 1000,
        };
        let mut is_short = false;
        let marks = [0, 899, 900, 950, 850, 800, 799, 850, 899, 900];
        let told = marks.map(|used| {
            is_short = at(used).is_short(is_short);
            is_short
        });
        let expected = [
            false, false, true, true, true, true, false, false, false, true,
        ];
        assert_eq!(told, expected);
    }

    /// A root folder with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn read(files: &[(&str, &str)]) -> Option<(u64, u64)> {
        let root = root(files);
        let reading = Gauge::Groups(groups(root.path())).read();
        reading.map(|reading| (reading.used, reading.ceiling))
    }

    #[test]
    fn the_group_of_a_service_and_those_around_it() {
        let inner = "sys/fs/cgroup/system.slice/kiro.service";
        let outer = "sys/fs/cgroup/system.slice";
        let file = |folder: &str, name: &str| format!("{folder}/{name}");
        let (max, high) = (file(inner, "memory.max"), file(inner, "memory.high"));
        let (current, stat) = (file(inner, "memory.current"), file(inner, "memory.stat"));
        let (outer_max, outer_current) = (file(outer, "memory.max"), file(outer, "memory.current"));
        let mut files = vec![
            ("proc/self/cgroup", "0::/system.slice/kiro.service\n"),
            (&*max, "1000000\n"),
            (&*high, "max\n"),
            (&*current, "700000\n"),
            (&*stat, "anon 500000\ninactive_file 200000\nactive_file 1\n"),
        ];
        assert_eq!(read(&files), Some((500_000, 1_000_000)));
        files.extend([(&*outer_max, "2000000"), (&*outer_current, "1900000")]);
        assert_eq!(read(&files), Some((1_900_000, 2_000_000)), "the closest");
        files[2].1 = "550000\n";
        assert_eq!(read(&files), Some((500_000, 550_000)));
    }

    #[test]
    fn a_container_sees_its_group_at_the_mount() {
        let files = [
            ("proc/self/cgroup", "0::/docker/0123abc\n"),
            ("sys/fs/cgroup/memory.max", "1000000"),
            ("sys/fs/cgroup/memory.current", "300000"),
        ];
        assert_eq!(read(&files), Some((300_000, 1_000_000)));
    }

    #[test]
    fn groups_of_the_old_form() {
        let folder = "sys/fs/cgroup/memory/docker/0123abc";
        let file = |name: &str| format!("{folder}/{name}");
        let (limit, usage) = (file("memory.limit_in_bytes"), file("memory.usage_in_bytes"));
        let stat = file("memory.stat");
        let mut files = [
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/docker/0123abc\n4:memory:/docker/0123abc\n0::/\n",
            ),
            (&*limit, "1000000"),
            (&*usage, "600000"),
            (&*stat, "inactive_file 1\ntotal_inactive_file 100000\n"),
        ];
        assert_eq!(read(&files), Some((500_000, 1_000_000)));
        files[1].1 = "9223372036854771712";
        assert_eq!(read(&files), None, "without a limit");
    }

    #[test]
    fn without_a_limit_nothing_is_watched() {
        let files = [
            ("proc/self/cgroup", "0::/user.slice\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "300000"),
        ];
        assert_eq!(read(&files), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_knows_what_it_holds() {
        assert!(resident(Path::new("/")).unwrap() > 1 << 20);
    }
}
