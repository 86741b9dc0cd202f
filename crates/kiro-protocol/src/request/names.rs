//! Names and ids that had to change on the way to Kiro, and the way back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Maps the names that Kiro knows back to those that the client declared. Cheap to clone.
///
/// The default map has renamed nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolNames {
    clients: Option<Arc<HashMap<String, String>>>,
}

impl ToolNames {
    /// From pairs of Kiro's name and the client's name.
    pub fn new(renamed: impl IntoIterator<Item = (String, String)>) -> Self {
        let clients: HashMap<_, _> = renamed.into_iter().collect();
        Self {
            clients: (!clients.is_empty()).then(|| Arc::new(clients)),
        }
    }

    /// The client's name of the tool that Kiro calls `kiro_name`.
    pub fn restore<'a>(&'a self, kiro_name: &'a str) -> &'a str {
        let renamed = self
            .clients
            .as_ref()
            .and_then(|clients| clients.get(kiro_name));
        renamed.map_or(kiro_name, String::as_str)
    }
}

/// Most characters in a tool's name or the id of a tool use.
///
/// Source: most gateways agree on 64 for names, one has it for ids (October 2026).
const MAX_LENGTH: usize = 64;

/// Gives every tool a name that Kiro takes, `[A-Za-z][A-Za-z0-9_-]{0,63}`, unique without regard to case.
///
/// A legal name stays as it is. Another becomes `prefix_1a2b3c4d`: what is legal of it, and eight hex
/// digits of its SHA-256, so that the same tool has the same name in every request.
///
/// Names are given in the order of asking and are never revised, so that a longer conversation does not
/// rename what a shorter one has named.
///
/// Source: the service takes names that begin otherwise, official clients do not (October 2026).
#[derive(Debug, Default)]
pub(super) struct Naming {
    kiro_names: HashMap<String, String>,
    /// Lower-case Kiro names, and the client's name of the tool that bears it.
    bearers: HashMap<String, String>,
}

impl Naming {
    /// Names a tool that the client declares. `None` when it has been declared before.
    pub(super) fn declare(&mut self, client: &str) -> Option<&str> {
        if self.kiro_names.contains_key(client) {
            return None;
        }
        Some(self.assign(client))
    }

    /// Names a tool that was used; the second part says that it has not been named before.
    ///
    /// The service compares without case, so a use of `Read` counts as a use of the declared `read`
    /// unless there is a tool of exactly that name.
    pub(super) fn of_use(&mut self, client: &str) -> (String, bool) {
        if let Some(kiro) = self.kiro_names.get(client) {
            return (kiro.clone(), false);
        }
        let bearer = self.bearers.get(&client.to_ascii_lowercase());
        if is_legal_name(client) && bearer.is_some_and(|bearer| is_legal_name(bearer)) {
            return (client.to_owned(), false);
        }
        (self.assign(client).to_owned(), true)
    }

    /// The names that changed, as pairs of Kiro's and the client's.
    pub(super) fn renamed(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.kiro_names.iter();
        pairs
            .filter(|(client, kiro)| client != kiro)
            .map(|(client, kiro)| (kiro.clone(), client.clone()))
    }

    fn assign(&mut self, client: &str) -> &str {
        let is_free = |name: &str| !self.bearers.contains_key(&name.to_ascii_lowercase());
        let kiro = if is_legal_name(client) && is_free(client) {
            client.to_owned()
        } else {
            let lead = if client.starts_with(|c: char| c.is_ascii_alphabetic()) {
                ""
            } else {
                "t"
            };
            first_free(lead, client, 0, is_free)
        };
        self.bearers
            .insert(kiro.to_ascii_lowercase(), client.to_owned());
        self.kiro_names.entry(client.to_owned()).or_insert(kiro)
    }
}

/// Gives every tool use an id that Kiro takes, `[A-Za-z0-9_-]{1,64}`, unique in the request.
///
/// In the order of the conversation, for the reason given at [`Naming`].
#[derive(Debug, Default)]
pub(super) struct UseIds {
    taken: HashSet<String>,
    /// How often each of the client's ids was given out. Some clients number the calls of every turn
    /// from zero; without this, each would search past all that came before.
    repeats: HashMap<String, u32>,
}

impl UseIds {
    /// The id for the next tool use, which the client calls `client`.
    pub(super) fn next(&mut self, client: &str) -> String {
        let repeats = self.repeats.entry(client.to_owned()).or_default();
        let is_free = |id: &str| !self.taken.contains(id);
        let id = if is_legal(client) && is_free(client) {
            client.to_owned()
        } else {
            first_free("", client, *repeats, is_free)
        };
        *repeats += 1;
        self.taken.insert(id.clone());
        id
    }
}

/// The first short form of `text`, from the given attempt on, that is free.
fn first_free(lead: &str, text: &str, from: u32, is_free: impl Fn(&str) -> bool) -> String {
    // Attempts differ in their digest, so a free one comes long before the numbers run out.
    (from..u32::MAX)
        .map(|attempt| shorten(lead, text, attempt))
        .find(|short| is_free(short))
        .unwrap_or_default()
}

/// `lead`, what is legal of `text`, and a digest of `text`; at most [`MAX_LENGTH`] characters.
fn shorten(lead: &str, text: &str, attempt: u32) -> String {
    const DIGITS: usize = 8;
    let mut digest = Sha256::new();
    digest.update(text);
    if attempt > 0 {
        digest.update(attempt.to_be_bytes());
    }
    let digest = digest.finalize();
    let legal = text.chars().map(|c| if is_legal_char(c) { c } else { '_' });
    let mut short: String = lead
        .chars()
        .chain(legal)
        .take(MAX_LENGTH - 1 - DIGITS)
        .collect();
    short.push('_');
    for byte in &digest[..DIGITS / 2] {
        short.push_str(&format!("{byte:02x}"));
    }
    short
}

fn is_legal_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_legal(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_legal_char)
}

fn is_legal_name(name: &str) -> bool {
    is_legal(name) && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that are declared, and what becomes of them.
    fn declared<'a>(
        clients: impl IntoIterator<Item = &'a str>,
    ) -> (Vec<Option<String>>, ToolNames) {
        let mut naming = Naming::default();
        let names = clients
            .into_iter()
            .map(|client| naming.declare(client).map(str::to_owned));
        let names = names.collect();
        (names, ToolNames::new(naming.renamed()))
    }

    #[test]
    fn a_legal_name_stays_as_it_is() {
        let longest = "a".repeat(64);
        for client in ["read", "Read_File-2", "mcp__server__tool", longest.as_str()] {
            let (names, back) = declared([client]);
            assert_eq!(names, [Some(client.to_owned())]);
            assert_eq!(back, ToolNames::default());
        }
    }

    #[test]
    fn another_name_is_shortened_and_comes_back() {
        let too_long = "a".repeat(65);
        let same_start = "a".repeat(80);
        let clients = [
            "",
            "files.read",
            "読む",
            "1st",
            "_x",
            "a b",
            &too_long,
            &same_start,
        ];
        let (names, back) = declared(clients);
        let names: Vec<String> = names.into_iter().flatten().collect();
        assert_eq!(names[1], "files_read_601e4eb6");
        assert_eq!(names[2], "t___818417a1");
        for (client, kiro) in clients.iter().zip(&names) {
            assert!(is_legal_name(kiro), "{kiro}");
            assert_eq!(back.restore(kiro), *client);
        }
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn names_that_differ_only_in_case_are_both_kept() {
        let (names, back) = declared(["Read", "read", "Read"]);
        assert_eq!(names[0].as_deref(), Some("Read"));
        let second = names[1].as_deref().unwrap();
        assert!(second.starts_with("read_"), "{second}");
        assert_eq!(back.restore(second), "read");
        assert_eq!(names[2], None);
    }

    #[test]
    fn a_name_that_looks_like_a_short_form_is_not_confused_with_it() {
        let (names, _) = declared(["files.read"]);
        let short = names[0].clone().unwrap();
        let (names, back) = declared(["files.read", short.as_str()]);
        let [first, second] = &names[..] else {
            panic!()
        };
        assert_ne!(first, second);
        assert_eq!(back.restore(first.as_deref().unwrap()), "files.read");
        assert_eq!(back.restore(second.as_deref().unwrap()), short);
    }

    #[test]
    fn a_use_finds_its_declaration_without_case() {
        let mut naming = Naming::default();
        naming.declare("Read");
        naming.declare("files.read");
        assert_eq!(naming.of_use("READ"), ("READ".to_owned(), false));
        let (renamed, is_new) = naming.of_use("files.read");
        assert!(renamed.starts_with("files_read_") && !is_new);
        assert_eq!(naming.of_use("write"), ("write".to_owned(), true));
        assert_eq!(naming.of_use("write"), ("write".to_owned(), false));
    }

    #[test]
    fn ids_are_legal_and_unique() {
        let foreign = format!("{}|{}", "f".repeat(41), "c".repeat(41));
        let mut ids = UseIds::default();
        assert_eq!(ids.next("toolu_01-a"), "toolu_01-a");
        let mut seen = HashSet::from(["toolu_01-a".to_owned()]);
        for client in [
            "toolu_01-a",
            "toolu_01-a",
            &foreign,
            &foreign,
            "",
            "",
            "a.b",
            "a:b",
        ] {
            let id = ids.next(client);
            assert!(is_legal(&id), "{id}");
            assert!(seen.insert(id));
        }
    }
}
