//! The files of `tests/data/chat` and its neighbours, each a request and what comes of it.
//!
//! ```text
//! What the case shows.
//!
//! === request            the body
//! === fetched            what is at each URL, if some are wanted: `URL base64`, or the URL alone for
//!                        a picture that is left out; `nothing` where none may be fetched
//! === kept               the items of earlier responses, oldest first: `resp_1 input {…}`, `resp_1 output {…}`
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
use serde_json::Value;
use serde_json::value::RawValue;

use super::{script, show};
use crate::catalog::Models;
use crate::image::{Pictures, Wanted};
use crate::kept::{Item, Kept, Recall, Recalled};
use crate::options::Reasoning;
use crate::surface::verdict::Table;
use crate::surface::{Accepted, Context, Mode, Surface};

/// The caller's.
pub(in crate::surface) const SALT: &str = "salt";

/// The cases of one surface.
pub(in crate::surface) struct Cases {
    pub(in crate::surface) surface: &'static dyn Surface,
    /// What becomes of the members of a request, and of what is inside of them.
    pub(in crate::surface) verdicts: (&'static Table, &'static [&'static Table]),
    /// In `tests/data`.
    pub(in crate::surface) folder: &'static str,
    /// What the surface's ids begin with: those in answers are random, and `1` in the files.
    pub(in crate::surface) ids: &'static [&'static str],
    /// Checks a response against the vendor's schema.
    pub(in crate::surface) check_response: fn(Mode, &str),
    /// Checks the body of an error.
    pub(in crate::surface) check_error: fn(&str),
}

impl Cases {
    /// Runs all of them; there must be at least so many.
    pub(in crate::surface) fn run_all(&self, n_least: usize) {
        let mut failures = String::new();
        let mut n_cases = 0;
        for path in self.files() {
            let written = fs::read_to_string(&path).unwrap();
            let actual = self.run(&written);
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
        assert!(n_cases >= n_least, "only {n_cases} cases were found");
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(self.folder);
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The requests of all cases.
    pub(in crate::surface) fn requests(&self) -> Vec<String> {
        let cases = self
            .files()
            .into_iter()
            .map(|path| fs::read_to_string(path).unwrap());
        cases
            .map(|case| section(&case, "request").unwrap().to_owned())
            .collect()
    }

    /// The case as it should be written.
    fn run(&self, case: &str) -> String {
        let title = case.split("=== ").next().unwrap().trim_end();
        let request = section(case, "request").expect("a case has a request");
        let mut out = format!("{title}\n\n=== request\n{request}\n");
        let fetched = section(case, "fetched");
        if let Some(fetched) = fetched {
            write!(out, "=== fetched\n{fetched}\n").unwrap();
        }
        let kept = section(case, "kept");
        if let Some(kept) = kept {
            write!(out, "=== kept\n{kept}\n").unwrap();
        }
        let reasoning = section(case, "reasoning");
        if let Some(reasoning) = reasoning {
            write!(out, "=== reasoning\n{reasoning}\n").unwrap();
        }
        let body = Bytes::copy_from_slice(request.as_bytes());
        let recalled = recalled(kept, &self.surface.recalls(&body));
        let accepted = self.accept_with(body, &pictures(fetched), &recalled, told(reasoning));
        let mut accepted = match accepted {
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
            let response = self.with_fixed_ids(std::str::from_utf8(&response).unwrap());
            (self.check_response)(accepted.mode, &response);
            write!(
                out,
                "=== reply\n{reply}\n=== response\n{}\n",
                response.trim_end()
            )
            .unwrap();
        }
        out
    }

    /// Accepts a body, or gives the status and the body of the refusal.
    pub(in crate::surface) fn accept(&self, body: Bytes) -> Result<Accepted, String> {
        self.accept_recalling(body, &recalled(None, &Recall::default()))
    }

    /// The same after earlier responses, as a case has them.
    pub(in crate::surface) fn accept_after(
        &self,
        body: Bytes,
        kept: &str,
    ) -> Result<Accepted, String> {
        let recalled = recalled(Some(kept), &self.surface.recalls(&body));
        self.accept_recalling(body, &recalled)
    }

    /// The same with what is found of earlier responses.
    pub(in crate::surface) fn accept_recalling(
        &self,
        body: Bytes,
        recalled: &Recalled,
    ) -> Result<Accepted, String> {
        self.accept_with(body, &pictures(None), recalled, Reasoning::default())
    }

    fn accept_with(
        &self,
        body: Bytes,
        pictures: &Pictures,
        recalled: &Recalled,
        reasoning: Reasoning,
    ) -> Result<Accepted, String> {
        let context = Context {
            models: &Models::seed(&Arc::default()),
            pictures,
            recalled,
            now: 1_763_800_000,
            request_id: "req_1",
            is_final: true,
            reasoning,
            salt: SALT,
        };
        self.surface.accept(body, &context).map_err(|error| {
            let body = self.surface.refuse(&error);
            let status = self.surface.status(&error);
            let body = std::str::from_utf8(&body).unwrap();
            (self.check_error)(body);
            format!("{} {body}", status.as_u16())
        })
    }

    /// Ids are random; in the files all of them are the same.
    pub(in crate::surface) fn with_fixed_ids(&self, response: &str) -> String {
        self.ids.iter().fold(response.to_owned(), |response, kind| {
            let prefix = format!("\"{kind}");
            let mut pieces = response.split(&*prefix);
            let first = pieces.next().unwrap().to_owned();
            pieces.fold(first, |done, piece| {
                let (id, rest) = piece.split_once('"').unwrap();
                assert_eq!(id.len(), 32, "{id}");
                format!("{done}{prefix}1\"{rest}")
            })
        })
    }
}

fn section<'a>(case: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = case.split_once(&format!("=== {name}\n"))?;
    Some(rest.split("\n=== ").next().unwrap().trim_end())
}

/// What is found of what a section says is kept.
fn recalled(kept: Option<&str>, recall: &Recall) -> Recalled {
    let mut responses: Vec<Kept> = Vec::new();
    for line in kept.unwrap_or_default().lines() {
        let (id, rest) = line.split_once(' ').unwrap();
        let (side, json) = rest.split_once(' ').unwrap();
        if responses.last().is_none_or(|kept| kept.id != id) {
            responses.push(Kept {
                id: id.to_owned(),
                previous: responses.last().map(|kept| kept.id.clone()),
                input: Vec::new(),
                output: Vec::new(),
                document: Bytes::new(),
            });
        }
        let kept = responses.last_mut().unwrap();
        match side {
            "input" => kept.input.push(item(json)),
            "output" => kept.output.push(item(json)),
            other => panic!("no such side: {other:?}"),
        }
    }
    let items = responses.iter();
    let items = items.flat_map(|kept| kept.input.iter().chain(&kept.output));
    let items = items.filter(|item| recall.items.contains(&item.id));
    let items = items.map(|item| (item.id.clone(), item.json.clone()));
    let items = items.collect();
    let last = responses
        .iter()
        .position(|kept| Some(&kept.id) == recall.previous.as_ref());
    let history = last.map(|last| {
        responses.truncate(last + 1);
        responses.into_iter().map(Arc::new).collect()
    });
    Recalled {
        history,
        items,
        keeps: true,
    }
}

fn item(json: &str) -> Item {
    let item: Value = serde_json::from_str(json).unwrap();
    Item {
        id: item["id"].as_str().unwrap().to_owned(),
        json: RawValue::from_string(json.to_owned()).unwrap().into(),
    }
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
