//! Whatever the conversation: what is sent obeys the rules of the strict simulator and loses nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use kiro_protocol::conversation::{Block, Conversation, Effort, Image, ResultPart, Role, Turn};
use kiro_protocol::request::{
    BuildError, Capabilities, Diagnostic, ImageLimits, PrepareOptions, Prepared, Region, Target,
    WireProfile, build, prepare,
};
use kiro_sim::Catalog;
use kiro_sim::validate::{Rules, validate};
use proptest::prelude::*;
use serde_json::Value;
use support::{any_conversation, realistic_schema, valid_conversation, well_spoken_conversation};

/// Pictures that a request may hold here: so few and so small that the conversations have more and larger ones.
const N_IMAGES: usize = 3;
const IMAGE_BYTES: usize = 20;

fn prepared(conversation: &Conversation) -> Prepared {
    let mut options = PrepareOptions::new(b"tenant");
    options.images.count = N_IMAGES;
    options.images.bytes = IMAGE_BYTES;
    prepare(conversation, &options)
}

/// All rules of the simulator, with the same limits, and no member that it does not know.
fn rules(profile: &WireProfile) -> Rules {
    let mut rules = Rules::strict(profile.generation);
    rules.limits.images = N_IMAGES;
    rules.limits.image_bytes = IMAGE_BYTES;
    rules.known_members = true;
    rules
}

/// The body in a spelling; `None` for a conversation in which nothing is said.
fn body(prepared: &Prepared, profile: &WireProfile, capabilities: Capabilities) -> Option<String> {
    let base = profile.base(&Region::US_EAST_1).unwrap();
    let mut target = Target::new(profile, &base, "token");
    target.capabilities = capabilities;
    match build(prepared, &target) {
        Ok(request) => Some(String::from_utf8(request.into_body().to_vec()).unwrap()),
        Err(BuildError::Empty) => None,
        Err(error) => panic!("{error}"),
    }
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

/// The messages of a body, the current one last.
fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    let state = &body["conversationState"];
    let history = state["history"].as_array().into_iter().flatten();
    history.chain([&state["currentMessage"]])
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
    let said = said.into_iter().filter(|text| !text.is_blank());
    said.map(|text| text.unescape().into_owned()).collect()
}

proptest! {
    #[test]
    fn every_request_obeys_the_rules_in_every_spelling(conversation in any_conversation()) {
        let before = conversation.clone();
        let prepared = prepared(&conversation);
        prop_assert_eq!(&conversation, &before, "the input is not changed");
        prop_assert_eq!(&self::prepared(&conversation), &prepared);
        for profile in WireProfile::ALL {
            let Some(body) = body(&prepared, profile, Capabilities::default()) else {
                let blocks = || conversation.turns.iter().flat_map(|turn| &turn.blocks);
                prop_assert!(texts(blocks()).is_empty());
                prop_assert!(conversation.system.iter().all(|text| text.is_blank()));
                continue;
            };
            let verdict = validate(&parsed(&body), &rules(profile));
            prop_assert!(verdict.is_ok(), "{}: {}\n{body}", profile.name, verdict.unwrap_err());
        }
    }

    #[test]
    fn no_word_and_no_picture_is_lost(conversation in any_conversation()) {
        let prepared = prepared(&conversation);
        for profile in WireProfile::ALL {
            let Some(body) = body(&prepared, profile, Capabilities::default()) else {
                continue;
            };
            let body = parsed(&body);
            let mut sent = String::new();
            let mut n_images = 0;
            for message in messages(&body) {
                for kind in ["userInputMessage", "assistantResponseMessage"] {
                    sent += message[kind]["content"].as_str().unwrap_or_default();
                    sent += "\0";
                }
                let message = &message["userInputMessage"];
                n_images += message["images"].as_array().map_or(0, Vec::len);
                let results = &message["userInputMessageContext"]["toolResults"];
                for part in results.as_array().into_iter().flatten().flat_map(|result| result["content"].as_array().unwrap()) {
                    sent += part["text"].as_str().unwrap();
                    sent += "\0";
                }
            }
            let system = conversation.system.iter().map(|text| text.unescape().into_owned());
            let said = texts(conversation.turns.iter().flat_map(|turn| &turn.blocks));
            for text in system.filter(|text| !text.trim().is_empty()).chain(said) {
                prop_assert!(sent.contains(&text), "{text:?} is not in {sent:?}");
            }
            prop_assert_eq!(n_images, n_images_in(&conversation, IMAGE_BYTES).min(N_IMAGES));
        }
    }

    /// A message has one place for thoughts, and a result has none for pictures: what is there more often would be lost.
    #[test]
    fn all_that_is_prepared_has_a_place_in_the_body(conversation in any_conversation()) {
        let prepared = prepared(&conversation);
        let n_prepared = |is_kind: fn(&Block) -> bool| {
            let blocks = prepared.conversation.turns.iter().flat_map(|turn| &turn.blocks);
            blocks.filter(|block| is_kind(block)).count()
        };
        prop_assert_eq!(n_images_in(&prepared.conversation, usize::MAX), n_prepared(|block| matches!(block, Block::Image(_))));
        for profile in WireProfile::ALL {
            let Some(body) = body(&prepared, profile, Capabilities::default()) else {
                continue;
            };
            let body = parsed(&body);
            let n_sent = |place: &str| -> usize {
                let found = messages(&body).filter_map(|message| message.pointer(place));
                found.map(|found| found.as_array().map_or(1, Vec::len)).sum()
            };
            prop_assert_eq!(n_sent("/assistantResponseMessage/reasoningContent"), n_prepared(|block| matches!(block, Block::Reasoning(_))));
            prop_assert_eq!(n_sent("/assistantResponseMessage/toolUses"), n_prepared(|block| matches!(block, Block::ToolUse(_))));
            prop_assert_eq!(n_sent("/userInputMessage/userInputMessageContext/toolResults"), n_prepared(|block| matches!(block, Block::ToolResult(_))));
            prop_assert_eq!(n_sent("/userInputMessage/images"), n_prepared(|block| matches!(block, Block::Image(_))));
        }
    }

    #[test]
    fn every_use_of_a_tool_is_kept_and_its_name_comes_back(conversation in any_conversation()) {
        let prepared = prepared(&conversation);
        let names = |conversation: &Conversation| -> Vec<String> {
            let blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
            let name = |block: &Block| match block {
                Block::ToolUse(call) => Some(call.name.clone()),
                _ => None,
            };
            blocks.filter_map(name).collect()
        };
        let restored = names(&prepared.conversation);
        let restored: Vec<_> = restored.iter().map(|name| prepared.tool_names.restore(name)).collect();
        prop_assert_eq!(restored, names(&conversation));
        let declared: Vec<&str> = prepared.conversation.tools.iter().map(|tool| prepared.tool_names.restore(&tool.name)).collect();
        for tool in &conversation.tools {
            prop_assert!(declared.contains(&&*tool.name), "{} is not in {declared:?}", tool.name);
        }
    }

    #[test]
    fn a_prepared_conversation_is_prepared(conversation in any_conversation()) {
        let once = prepared(&conversation);
        if once.conversation.turns.is_empty() {
            return Ok(());
        }
        let twice = prepared(&once.conversation);
        prop_assert_eq!(&twice.conversation, &once.conversation);
        for found in twice.diagnostics {
            // Placeholders are empty turns, which are dropped and put back.
            let is_placeholder = matches!(
                found,
                Diagnostic::EmptyTurnDropped { role: Role::User, .. } | Diagnostic::OpeningAdded | Diagnostic::CurrentAdded
            );
            prop_assert!(is_placeholder, "{}", found);
        }
    }

    #[test]
    fn a_valid_conversation_gets_no_words(conversation in valid_conversation()) {
        let prepared = prepared(&conversation);
        prop_assert_eq!(&prepared.diagnostics, &[]);
        let mut unchanged = conversation.clone();
        unchanged.id = prepared.conversation.id.clone();
        prop_assert_eq!(&prepared.conversation, &unchanged);

        let krs = body(&prepared, WireProfile::ALL[0], Capabilities::default()).unwrap();
        let krs = parsed(&krs);
        let mut sent = messages(&krs);
        if !conversation.system.is_empty() {
            let paragraphs: Vec<_> = conversation.system.iter().map(|text| text.unescape()).collect();
            prop_assert_eq!(&sent.next().unwrap()["userInputMessage"]["content"], &paragraphs.join("\n\n"));
            sent.next();
        }
        for turn in &conversation.turns {
            let kind = match turn.role {
                Role::User => "userInputMessage",
                Role::Assistant => "assistantResponseMessage",
            };
            let text = turn.blocks.iter().find_map(|block| match block {
                Block::Text(text) => Some(text.unescape()),
                _ => None,
            });
            prop_assert_eq!(&sent.next().unwrap()[kind]["content"], &*text.unwrap_or_default());
        }
        prop_assert!(sent.next().is_none());
    }

    #[test]
    fn a_longer_conversation_begins_with_the_same_bytes(
        conversation in well_spoken_conversation(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let is_end = |turn: &Turn| turn.role == Role::User && says_something(turn);
        let ends = conversation.turns.iter().enumerate().filter(|(_, turn)| is_end(turn));
        let ends: Vec<usize> = ends.map(|(index, _)| index + 1).collect();
        let prepared = |conversation: &Conversation| prepare(conversation, &PrepareOptions::new(b"tenant"));
        if ends.is_empty() || n_images_in(&conversation, usize::MAX) > ImageLimits::default().count {
            return Ok(());
        }
        let mut shorter = conversation.clone();
        shorter.turns.truncate(ends[cut.index(ends.len())]);
        let next = conversation.turns.get(shorter.turns.len());
        let is_answered = next.is_some_and(|turn| turn.role == Role::Assistant && says_something(turn));
        for profile in WireProfile::ALL {
            let short = body(&prepared(&shorter), profile, Capabilities::default()).unwrap();
            let long = body(&prepared(&conversation), profile, Capabilities::default()).unwrap();
            let (before, _) = short.split_once(r#","currentMessage":"#).unwrap();
            let before = before.strip_suffix(']').unwrap_or(before);
            prop_assert!(long.starts_with(before), "{before}\n{long}");
            if is_answered {
                let mut current = parsed(&short)["conversationState"]["currentMessage"].take();
                without_tools(&mut current);
                let history = r#","history":["#;
                let past = if before.contains(history) { "," } else { history };
                let current = format!("{before}{past}{current}");
                prop_assert!(long.starts_with(&current), "{current}\n{long}");
            }
        }
    }

    #[test]
    fn a_simplified_schema_requires_allows_and_describes_the_same(schema in realistic_schema()) {
        let mut conversation = Conversation::new("claude-sonnet-4.5");
        conversation.turns.push(Turn::new(Role::User, [Block::Text("Go.".into())]));
        conversation.tools = vec![support::tool("t", "Does it.", &schema.to_string())];
        let prepared = prepared(&conversation);
        let simplified: Value = serde_json::from_str(prepared.conversation.tools[0].schema.as_str()).unwrap();
        assert_same_meaning(&schema, &schema, &simplified);
    }

    #[test]
    fn a_model_is_only_sent_the_fields_that_it_lists(
        model in 0..Catalog::default().models().len(),
        effort in proptest::option::of(0..6_usize),
        max_tokens in proptest::option::of(prop_oneof![Just(0), 1..100_000_u32]),
    ) {
        let efforts = [Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];
        let catalog = Catalog::default();
        let schema = catalog.response()["models"][model]["additionalModelRequestFieldsSchema"].clone();
        let id = catalog.response()["models"][model]["modelId"].as_str().unwrap();
        let mut conversation = Conversation::new(id);
        conversation.turns.push(Turn::new(Role::User, [Block::Text("Go.".into())]));
        conversation.sampling.effort = effort.map(|effort| efforts[effort]);
        conversation.sampling.max_tokens = max_tokens;
        for capabilities in [Capabilities::from_schema(&schema), Capabilities::seed(id)] {
            let body = body(&prepared(&conversation), WireProfile::ALL[0], capabilities).unwrap();
            let verdict = validate(&parsed(&body), &Rules::default());
            prop_assert!(verdict.is_ok(), "{}\n{body}", verdict.unwrap_err());
        }
    }
}

/// The pictures of so many bytes at most.
fn n_images_in(conversation: &Conversation, largest: usize) -> usize {
    let is_small = |image: &Image| image.size() <= largest;
    let blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
    let images = blocks.map(|block| match block {
        Block::Image(image) => usize::from(is_small(image)),
        Block::ToolResult(result) => {
            let is_image =
                |part: &&ResultPart| matches!(part, ResultPart::Image(image) if is_small(image));
            result.content.iter().filter(is_image).count()
        }
        _ => 0,
    });
    images.sum()
}

#[test]
fn the_simulator_takes_as_many_pictures_and_as_large_ones_as_are_sent() {
    let (sent, taken) = (ImageLimits::default(), Rules::default().limits);
    assert!(sent.count <= taken.images);
    assert!(sent.bytes <= taken.image_bytes);
}

/// Whether anything of a turn is left when blank texts and unsigned thoughts are dropped.
fn says_something(turn: &Turn) -> bool {
    turn.blocks.iter().any(|block| match block {
        Block::Text(text) => !text.is_blank(),
        Block::Reasoning(_) => false,
        _ => true,
    })
}

/// A user message as it stands in the history, where no tools are declared.
fn without_tools(message: &mut Value) {
    let message = message["userInputMessage"].as_object_mut().unwrap();
    if let Some(Value::Object(context)) = message.get_mut("userInputMessageContext") {
        context.remove("tools");
        if context.is_empty() {
            message.remove("userInputMessageContext");
        }
    }
}

/// Compares two schemas at one place; `root` resolves the references of the first.
fn assert_same_meaning(root: &Value, before: &Value, after: &Value) {
    if let Some(reference) = before["$ref"].as_str() {
        assert_same_meaning(root, root.pointer(&reference[1..]).unwrap(), after);
    }
    for part in before["allOf"].as_array().into_iter().flatten() {
        assert_same_meaning(root, part, after);
    }
    if let Some(description) = before["description"].as_str() {
        assert!(
            after["description"].as_str().unwrap().contains(description),
            "{before} {after}"
        );
    }
    for list in ["required", "enum"] {
        let kept = after[list].as_array();
        for value in before[list].as_array().into_iter().flatten() {
            assert!(
                kept.is_some_and(|kept| kept.contains(value)),
                "{before} {after}"
            );
        }
    }
    for (name, property) in before["properties"].as_object().into_iter().flatten() {
        assert_same_meaning(root, property, &after["properties"][name]);
    }
    if before["items"].is_object() {
        assert_same_meaning(root, &before["items"], &after["items"]);
    }
    for choice in ["anyOf", "oneOf"] {
        for (index, branch) in before[choice].as_array().into_iter().flatten().enumerate() {
            assert_same_meaning(root, branch, &after["anyOf"][index]);
        }
    }
}
