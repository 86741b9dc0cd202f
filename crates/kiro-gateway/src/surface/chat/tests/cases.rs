//! The files of `tests/data/chat`, each a request and what comes of it.
//!
//! ```text
//! What the case shows.
//!
//! === request            the body
//! === fetched            what is at each URL, if some are wanted: `URL base64`, or the URL alone for
//!                        a picture that is left out; `nothing` where none may be fetched
//! === reasoning          where thoughts are told, `tags` or `hidden`, if not in their member
//! === conversation       what is sent upstream, as `show` has it
//! === refusal            or: the status and the body of the error
//! === ignored            the fields in `x-gateway-ignored`, if there are any
//! === reply              what the upstream answers, as `script` has it
//! === response           the exact bytes that go downstream, but for the id of the answer
//! ```
//!
//! After a wanted change, `KIRO_2API_BLESS=1 cargo test -p kiro-gateway` writes what comes out into the
//! files, to be read and committed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use kiro_protocol::conversation::Image;

use super::{schema_check, script, show};
use crate::catalog::Models;
use crate::image::{Pictures, Wanted};
use crate::options::Reasoning;
use crate::surface::chat::Chat;
use crate::surface::{Accepted, Context, Surface};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/chat");

#[test]
fn every_case_comes_out_as_written() {
    let mut failures = String::new();
    let mut n_cases = 0;
    for path in files() {
        let written = fs::read_to_string(&path).unwrap();
        let actual = run(&written);
        n_cases += 1;
        if actual == written {
            continue;
        }
        if option_env!("KIRO_2API_BLESS").is_some() {
            fs::write(&path, &actual).unwrap();
        }
        let name = path.file_name().unwrap().to_string_lossy();
        writeln!(failures, "{name} should be\n{written}\nand is\n{actual}").unwrap();
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(n_cases >= 80, "only {n_cases} cases were found");
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(FOLDER)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The requests of all cases.
pub(super) fn requests() -> Vec<String> {
    let cases = files()
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    cases
        .map(|case| section(&case, "request").unwrap().to_owned())
        .collect()
}

fn section<'a>(case: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = case.split_once(&format!("=== {name}\n"))?;
    Some(rest.split("\n=== ").next().unwrap().trim_end())
}

/// The case as it should be written.
fn run(case: &str) -> String {
    let title = case.split("=== ").next().unwrap().trim_end();
    let request = section(case, "request").expect("a case has a request");
    let mut out = format!("{title}\n\n=== request\n{request}\n");
    let fetched = section(case, "fetched");
    if let Some(fetched) = fetched {
        write!(out, "=== fetched\n{fetched}\n").unwrap();
    }
    let reasoning = section(case, "reasoning");
    if let Some(reasoning) = reasoning {
        write!(out, "=== reasoning\n{reasoning}\n").unwrap();
    }
    let mut accepted = match accept_with(
        Bytes::copy_from_slice(request.as_bytes()),
        &pictures(fetched),
        told(reasoning),
    ) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            write!(out, "=== refusal\n{refusal}\n").unwrap();
            return out;
        }
    };
    for Wanted { url, place } in &accepted.wanted {
        writeln!(out, "=== wanted\n{place} {url}").unwrap();
    }
    let shown = show::conversation(&accepted.conversation);
    write!(out, "=== conversation\n{shown}").unwrap();
    if !accepted.ignored.is_empty() {
        write!(out, "=== ignored\n{}\n", accepted.ignored.join(", ")).unwrap();
    }
    if let Some(reply) = section(case, "reply") {
        let mut response = BytesMut::new();
        script::play(
            reply,
            &accepted.bounds,
            &mut *accepted.encoder,
            &mut response,
        );
        let response = with_fixed_id(std::str::from_utf8(&response).unwrap());
        schema_check::response(accepted.mode, &response);
        write!(
            out,
            "=== reply\n{reply}\n=== response\n{}\n",
            response.trim_end()
        )
        .unwrap();
    }
    out
}

/// What a section says of thoughts.
fn told(reasoning: Option<&str>) -> Reasoning {
    match reasoning {
        None => Reasoning::Member,
        Some("tags") => Reasoning::Tags,
        Some("hidden") => Reasoning::Hidden,
        Some(other) => panic!("no such place for thoughts: {other:?}"),
    }
}

/// What a section says of pictures.
fn pictures(fetched: Option<&str>) -> Pictures {
    if fetched == Some("nothing") {
        return Pictures::Refused("this gateway does not fetch http(s) URLs");
    }
    let lines = fetched.unwrap_or_default().lines();
    let pictures = lines.map(|line| match line.split_once(' ') {
        Some((url, base64)) => {
            let image = Image::from_base64(base64.to_owned()).unwrap();
            (url.into(), Some(image))
        }
        None => (line.into(), None),
    });
    Pictures::Fetched(pictures.collect())
}

/// Accepts a body, or gives the status and the body of the refusal.
pub(super) fn accept(body: Bytes) -> Result<Accepted, String> {
    accept_with(body, &pictures(None), Reasoning::default())
}

fn accept_with(body: Bytes, pictures: &Pictures, reasoning: Reasoning) -> Result<Accepted, String> {
    let context = Context {
        models: &Models::seed(&Arc::default()),
        pictures,
        now: 1_763_800_000,
        is_final: true,
        reasoning,
    };
    Chat.accept(body, &context).map_err(|error| {
        let body = Chat.refuse(&error);
        let body = std::str::from_utf8(&body).unwrap();
        schema_check::error(body);
        format!("{} {body}", error.status().as_u16())
    })
}

/// Ids are random; in the files all of them are the same.
fn with_fixed_id(response: &str) -> String {
    const PREFIX: &str = "\"chatcmpl-";
    let mut pieces = response.split(PREFIX);
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |done, piece| {
        let (id, rest) = piece.split_once('"').unwrap();
        assert_eq!(id.len(), 32, "{id}");
        format!("{done}{PREFIX}1\"{rest}")
    })
}
