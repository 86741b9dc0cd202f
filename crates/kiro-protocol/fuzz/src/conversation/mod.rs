//! Any conversation becomes a request that the strict simulator takes.
//!
//! The bytes are read as structure, by [`arbitrary`]: turns of any role with any blocks, few ids and names
//! so that uses and results meet, schemas made of the keywords that libraries write, and texts of all
//! kinds.

mod any;
mod body;

use std::sync::LazyLock;

use arbitrary::Unstructured;
use kiro_protocol::Generation;
use kiro_protocol::conversation::{Block, Conversation, ResultPart, Role, Turn};
use kiro_protocol::request::{
    BuildError, Diagnostic, PrepareOptions, Prepared, Region, SchemaCache, Target, WireProfile,
    build, prepare,
};
use kiro_sim::validate::{Rules, validate};

use any::Case;
use body::Body;

/// Prepares and builds in every spelling and checks what is promised of the request.
pub fn run(input: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(input)) else {
        return;
    };
    let conversation = &case.conversation;
    let before = conversation.clone();
    let prepared = case.prepared(conversation);
    assert_eq!(*conversation, before, "the input is not changed");
    let schemas = SchemaCache::new();
    for cache in ["empty", "filled"] {
        let again = case.prepared_with(conversation, Some(&schemas));
        assert_eq!(again, prepared, "equal input, {cache} cache");
    }
    check_names(conversation, &prepared);
    check_thoughts(&prepared);
    check_prepared_again(&case, &prepared);

    let [first, ..] = WireProfile::ALL;
    let again = case.body(&prepared, first);
    assert_eq!(
        case.body(&prepared, first),
        again,
        "equal input gives equal bytes"
    );

    for profile in WireProfile::ALL {
        let body = case.body(&prepared, profile);
        let Some(body) = body else {
            assert!(says_nothing(conversation), "an empty request");
            continue;
        };
        let body = Body::parse(&body);
        let verdict = validate(&body.0, rules(profile));
        assert!(
            verdict.is_ok(),
            "{}: {}\n{}",
            profile.name,
            verdict.unwrap_err(),
            body.0
        );
        check_nothing_is_lost(&case, &body);
    }
    if case.is_well_spoken
        && let Some(end) = case.cut()
    {
        check_growth(&case, end);
    }
}

/// The strict rules of a spelling, which know all members, made once because they hold a whole catalogue.
fn rules(profile: &WireProfile) -> &'static Rules {
    static RULES: LazyLock<[Rules; 3]> = LazyLock::new(|| {
        [Generation::Rest, Generation::Cli, Generation::Krs].map(|generation| {
            let mut rules = Rules::strict(generation);
            rules.known_members = true;
            rules
        })
    });
    let rules = RULES
        .iter()
        .find(|rules| rules.generation == profile.generation);
    rules.expect("rules for every generation")
}

impl Case {
    fn prepared(&self, conversation: &Conversation) -> Prepared {
        self.prepared_with(conversation, None)
    }

    fn prepared_with(
        &self,
        conversation: &Conversation,
        schemas: Option<&SchemaCache>,
    ) -> Prepared {
        let mut options = PrepareOptions::new(b"tenant");
        options.schemas = schemas;
        options.reasoning = self.reasoning;
        options.images.count = self.image_limit();
        prepare(conversation, &options)
    }

    /// A model that cannot see is sent no pictures, which the caller has to say.
    fn image_limit(&self) -> usize {
        if self.model.sees { 20 } else { 0 }
    }

    /// The body in a spelling; `None` for a conversation in which nothing is said.
    fn body(&self, prepared: &Prepared, profile: &WireProfile) -> Option<String> {
        let base = profile.base(&Region::US_EAST_1).expect("a known region");
        let mut target = Target::new(profile, &base, "token");
        target.capabilities = self.model.capabilities;
        match build(prepared, &target) {
            Ok(request) => {
                let body = request.into_body().to_vec();
                Some(String::from_utf8(body).expect("a body of text"))
            }
            Err(BuildError::Empty) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Where the conversation may be cut: after a turn of the user that says something.
    fn cut(&self) -> Option<usize> {
        let turns = &self.conversation.turns;
        let is_end = |turn: &Turn| turn.role == Role::User && leaves_something(turn);
        let ends = (0..turns.len()).filter(|index| is_end(&turns[*index]));
        let ends: Vec<usize> = ends.map(|index| index + 1).collect();
        let picked = usize::from(self.cut_at).checked_rem(ends.len())?;
        Some(ends[picked])
    }
}

/// Tools keep their names for the client, in turns and in declarations.
fn check_names(conversation: &Conversation, prepared: &Prepared) {
    let names = |conversation: &Conversation| -> Vec<String> {
        let blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
        let name = |block: &Block| match block {
            Block::ToolUse(call) => Some(call.name.clone()),
            _ => None,
        };
        blocks.filter_map(name).collect()
    };
    let restore = |name: &String| prepared.tool_names.restore(name).to_owned();
    let restored: Vec<_> = names(&prepared.conversation).iter().map(restore).collect();
    assert_eq!(restored, names(conversation));
    let declared = prepared.conversation.tools.iter();
    let declared: Vec<_> = declared.map(|tool| restore(&tool.name)).collect();
    for tool in &conversation.tools {
        assert!(
            declared.contains(&tool.name),
            "{} is not in {declared:?}",
            tool.name
        );
    }
}

/// A message has one place for thoughts.
fn check_thoughts(prepared: &Prepared) {
    for turn in &prepared.conversation.turns {
        let is_thought = |block: &&Block| matches!(block, Block::Reasoning(_));
        assert!(turn.blocks.iter().filter(is_thought).count() <= 1);
    }
}

/// What obeys the rules is left alone.
fn check_prepared_again(case: &Case, once: &Prepared) {
    if once.conversation.turns.is_empty() {
        return;
    }
    let twice = case.prepared(&once.conversation);
    assert_eq!(
        twice.conversation, once.conversation,
        "what is prepared is changed again"
    );
    for found in twice.diagnostics {
        // Placeholders are empty turns, which are dropped and put back.
        let is_placeholder = matches!(
            found,
            Diagnostic::EmptyTurnDropped {
                role: Role::User,
                ..
            } | Diagnostic::OpeningAdded
                | Diagnostic::CurrentAdded
        );
        assert!(is_placeholder, "{found}");
    }
}

/// Every text and as many pictures as may be sent are in the body.
fn check_nothing_is_lost(case: &Case, body: &Body) {
    let sent = body.texts();
    let conversation = &case.conversation;
    let system = conversation
        .system
        .iter()
        .map(|text| text.unescape().into_owned());
    let said = texts(conversation.turns.iter().flat_map(|turn| &turn.blocks));
    for text in system.filter(|text| !text.trim().is_empty()).chain(said) {
        assert!(sent.contains(&text), "{text:?} is not in {sent:?}");
    }
    let n_images = n_images_in(conversation).min(case.image_limit());
    assert_eq!(body.n_images(), n_images);
}

/// A longer conversation begins with the bytes of a shorter one.
fn check_growth(case: &Case, end: usize) {
    let conversation = &case.conversation;
    if n_images_in(conversation) > case.image_limit() {
        return;
    }
    let mut shorter = conversation.clone();
    shorter.turns.truncate(end);
    let next = conversation.turns.get(end);
    let is_answered =
        next.is_some_and(|turn| turn.role == Role::Assistant && leaves_something(turn));
    let [shorter, longer] = [&shorter, conversation].map(|one| case.prepared(one));
    for profile in WireProfile::ALL {
        let body = |prepared| case.body(prepared, profile).expect("something is said");
        let (short, long) = (body(&shorter), body(&longer));
        let (before, _) = short
            .split_once(r#","currentMessage":"#)
            .expect("a current message");
        let before = before.strip_suffix(']').unwrap_or(before);
        assert!(long.starts_with(before), "{before}\n{long}");
        if is_answered {
            let current = Body::parse(&short).current_as_history();
            let history = r#","history":["#;
            let past = if before.contains(history) {
                ","
            } else {
                history
            };
            let current = format!("{before}{past}{current}");
            assert!(long.starts_with(&current), "{current}\n{long}");
        }
    }
}

fn says_nothing(conversation: &Conversation) -> bool {
    let blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
    texts(blocks).is_empty() && conversation.system.iter().all(|text| text.is_blank())
}

/// What is said in some blocks.
fn texts<'a>(blocks: impl Iterator<Item = &'a Block>) -> Vec<String> {
    let mut said = Vec::new();
    for block in blocks {
        match block {
            Block::Text(text) => said.push(text),
            Block::ToolResult(result) => {
                said.extend(result.content.iter().filter_map(|part| match part {
                    ResultPart::Text(text) => Some(text),
                    _ => None,
                }))
            }
            _ => {}
        }
    }
    let said = said.into_iter().map(|text| text.unescape().into_owned());
    said.filter(|text| !text.trim().is_empty()).collect()
}

fn n_images_in(conversation: &Conversation) -> usize {
    let blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
    let images = blocks.map(|block| match block {
        Block::Image(_) => 1,
        Block::ToolResult(result) => {
            let is_image = |part: &&ResultPart| matches!(part, ResultPart::Image(_));
            result.content.iter().filter(is_image).count()
        }
        _ => 0,
    });
    images.sum()
}

/// Whether anything of a turn is left when blank texts and thoughts are dropped.
fn leaves_something(turn: &Turn) -> bool {
    turn.blocks.iter().any(|block| match block {
        Block::Text(text) => !text.is_blank(),
        Block::Reasoning(_) => false,
        _ => true,
    })
}
