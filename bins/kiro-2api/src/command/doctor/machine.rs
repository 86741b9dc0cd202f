//! What is on the machine: configuration, key, state, and logins of other programs.

use std::path::Path;
use std::{fs, io};

use kiro_auth::{Clock as _, PlaceState, SystemClock, discover};

use super::report::Report;
use crate::config::{Config, Origin, Source};
use crate::{discovery, saved, setup, state};

/// Reads the configuration. One that cannot be read is a problem, and the rest is looked at with the defaults.
pub(super) fn configuration(report: &mut Report, source: &Source) -> Config {
    const ABOUT: &str = "configuration";
    match Config::read(source) {
        Ok(config) => {
            let files = source.files().filter(|file| file.is_file());
            let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
            let files = match files.is_empty() {
                true => "no file, only the environment".to_owned(),
                false => files.join(", "),
            };
            report.ok(ABOUT, files);
            config
        }
        Err(error) => {
            let remedy = "correct it; `kiro-2api check` says where each value comes from";
            report.problem(ABOUT, &error, remedy);
            Config::default()
        }
    }
}

/// Whether `serve` would start with these keys.
pub(super) fn key(report: &mut Report, config: &Config) {
    const ABOUT: &str = "key for callers";
    if !config.has_key() {
        let remedy = "echo \"PROXY_API_KEY=$(openssl rand -hex 24)\" >> .env";
        return report.wrong(
            ABOUT,
            "PROXY_API_KEY is not set, and `serve` needs it",
            remedy,
        );
    }
    match setup::check(config) {
        Ok(()) => report.ok(ABOUT, "set"),
        Err(error) => report.problem(ABOUT, &*error, "correct it in the configuration"),
    }
}

/// Whether what is rotated can be kept.
pub(super) fn state(report: &mut Report, config: &Config) {
    const ABOUT: &str = "state";
    let Some(folder) = state::folder(&config.store) else {
        let remedy = "set KIRO_2API_STORE__PATH to a folder";
        return report.wrong(
            ABOUT,
            "there is no home folder to keep rotated tokens in",
            remedy,
        );
    };
    match try_to_write(&folder) {
        Ok(()) => report.ok(ABOUT, format_args!("{}", folder.display())),
        Err(error) => report.wrong(
            ABOUT,
            format_args!("{} cannot be written: {error}", folder.display()),
            "let this user write there, or set KIRO_2API_STORE__PATH to another folder",
        ),
    }
}

/// Leaves the folder as it was, and does not make one that is not there.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let mut there = folder;
    while !there.exists() {
        match there.parent() {
            Some(parent) => there = parent,
            None => break,
        }
    }
    let probe = there.join(format!(".kiro-2api.{}.probe", std::process::id()));
    fs::write(&probe, "")?;
    fs::remove_file(&probe)
}

/// What Kiro's programs have left.
pub(super) async fn places(report: &mut Report, source: &Source, config: &Config) {
    let places = discovery::places(source, config);
    let discovery = discover(&places, SystemClock.now()).await;
    let of_ours = saved::Saved::of(config).ok();
    let of_ours = of_ours.and_then(|saved| saved.entries().ok());
    let of_ours = of_ours.unwrap_or_default();
    let is_used = |path: &Path| {
        let configured = config.accounts().any(|account| {
            let file = account.origin().and_then(Origin::file);
            file.is_some_and(|file| setup::home(file) == path)
        });
        configured || of_ours.iter().any(|entry| entry.file == path)
    };
    let mut n_there = 0;
    for find in discovery.finds() {
        let about = format!("{}", find.place.kind);
        let (path, state) = (find.place.path.display(), &find.state);
        let says = format!("{path}: {state}");
        match state {
            PlaceState::Absent => continue,
            PlaceState::Unreadable(_) => {
                report.warning(&about, says, "let this user read it, if it is to be used");
            }
            PlaceState::NotUnderstood(_) => {
                let remedy = "sign in again in that program, if the login is to be used";
                report.warning(&about, says, remedy);
            }
            _ if is_used(&find.place.path) => report.ok(&about, says),
            _ => report.note(&about, says),
        }
        n_there += 1;
    }
    if n_there == 0 {
        let n = discovery.finds().len();
        report.note(
            "logins of others",
            format_args!("none in the {n} places of Kiro's programs"),
        );
    }
}
