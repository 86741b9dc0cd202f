//! Bounds hold however the reply is cut into events, and cost nothing where they are not met.

use std::collections::VecDeque;
use std::ops::Range;

use kiro_protocol::conversation::{Block, Conversation, Role};
use kiro_protocol::reply::{Delta, ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Bounds, Calls, Filter, Force};

fn push(filter: &mut Filter, event: ReplyEvent) -> Vec<ReplyEvent> {
    let mut out = VecDeque::new();
    filter.push(event, &mut out);
    out.into()
}

fn run(bounds: &Bounds, events: impl IntoIterator<Item = ReplyEvent>) -> Vec<ReplyEvent> {
    let mut filter = Filter::new(bounds);
    let events = events.into_iter();
    events.flat_map(|event| push(&mut filter, event)).collect()
}

fn stop_at(sequences: &[&str]) -> Bounds {
    Bounds {
        stop: sequences.iter().map(|text| (*text).to_owned()).collect(),
        ..Bounds::default()
    }
}

fn at_most(max_tokens: u64) -> Bounds {
    Bounds {
        max_tokens: Some(max_tokens),
        ..Bounds::default()
    }
}

fn calls(calls: Calls) -> Bounds {
    Bounds {
        calls,
        ..Bounds::default()
    }
}

fn text(plain: &str) -> ReplyEvent {
    ReplyEvent::Text(plain.into())
}

fn call(id: &str) -> [ReplyEvent; 3] {
    let start = ReplyEvent::ToolUseStart {
        id: id.to_owned(),
        name: "find".to_owned(),
    };
    [
        start,
        ReplyEvent::ToolInput("{}".into()),
        ReplyEvent::ToolUseEnd,
    ]
}

fn said(events: &[ReplyEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ReplyEvent::Text(delta) => Some(delta.unescape()),
        _ => None,
    });
    texts.collect()
}

fn escaped(pieces: &[&str]) -> Delta {
    JsonText::from_escaped(pieces.concat().into()).unwrap()
}

/// One character, in one of the ways in which JSON can write it.
fn character() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "a",
        "a",
        "b",
        r"\u0061",
        r"\n",
        r"\u000A",
        r#"\""#,
        r"\\",
        r"\/",
        "/",
        "é",
        r"\u00e9",
        "😀",
        r"\ud83d\ude00",
        r"\u2028",
        "ä",
    ])
}

fn sequence() -> impl Strategy<Value = String> {
    proptest::collection::vec(character(), 1..5)
        .prop_map(|pieces| escaped(&pieces).unescape().into_owned())
}

/// Where the text ends for a look at each of its beginnings, the plain way.
fn first_stop(plain: &str, sequences: &[String]) -> Option<usize> {
    let ends = plain.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.filter_map(|end| {
        let met = sequences
            .iter()
            .filter(|sequence| plain[..end].ends_with(*sequence));
        met.map(|sequence| end - sequence.len()).min()
    })
    .next()
}

/// Bytes at the end of a text that a sequence could begin with.
fn may_begin(plain: &str, sequences: &[String]) -> usize {
    let tails = plain.char_indices().map(|(at, _)| &plain[at..]);
    tails
        .filter(|tail| sequences.iter().any(|sequence| sequence.starts_with(tail)))
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// The pieces between some places.
fn pieces(length: usize, cuts: &[Index]) -> Vec<Range<usize>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    places.extend([0, length]);
    places.sort_unstable();
    places.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

proptest! {
    #[test]
    fn the_bounded_text_does_not_depend_on_how_it_is_cut(
        characters in proptest::collection::vec(character(), 0..40),
        sequences in proptest::collection::vec(sequence(), 0..5),
        max_tokens in proptest::option::of(1..30u64),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let bounds = Bounds { stop: sequences, max_tokens, ..Bounds::default() };
        let end = ReplyEvent::Stop(StopReason::EndTurn);
        let whole = ReplyEvent::Text(escaped(&characters));
        let expected = run(&bounds, [ReplyEvent::Start, whole, end.clone()]);

        let deltas = pieces(characters.len(), &cuts)
            .into_iter()
            .map(|range| ReplyEvent::Text(escaped(&characters[range])));
        let events = [ReplyEvent::Start].into_iter().chain(deltas).chain([end]);
        let actual = run(&bounds, events);
        prop_assert_eq!(said(&actual), said(&expected));
        prop_assert_eq!(actual.last(), expected.last());

        if max_tokens.is_none() {
            let plain = escaped(&characters).unescape().into_owned();
            let stop = first_stop(&plain, &bounds.stop);
            prop_assert_eq!(said(&actual), &plain[..stop.unwrap_or(plain.len())]);
            let reason = stop.map_or(StopReason::EndTurn, |_| StopReason::StopSequence);
            prop_assert_eq!(actual.last(), Some(&ReplyEvent::Stop(reason)));
        }
    }

    #[test]
    fn only_the_beginning_of_a_sequence_is_held_back(
        characters in proptest::collection::vec(character(), 0..40),
        sequences in proptest::collection::vec(sequence(), 1..5),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let bounds = Bounds { stop: sequences, ..Bounds::default() };
        let mut filter = Filter::new(&bounds);
        let (mut so_far, mut told) = (String::new(), String::new());
        for range in pieces(characters.len(), &cuts) {
            let delta = escaped(&characters[range]);
            so_far += &delta.unescape();
            if first_stop(&so_far, &bounds.stop).is_some() {
                break;
            }
            told += &said(&push(&mut filter, ReplyEvent::Text(delta)));
            let n_held = may_begin(&so_far, &bounds.stop);
            prop_assert_eq!(&told, &so_far[..so_far.len() - n_held]);
        }
    }

    #[test]
    fn a_text_without_a_sequence_leaves_byte_for_byte(
        characters in proptest::collection::vec(character(), 1..40),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        // No character above begins it, so nothing is held back either.
        let bounds = stop_at(&["STOP"]);
        let deltas = pieces(characters.len(), &cuts)
            .into_iter()
            .filter(|range| !range.is_empty())
            .map(|range| ReplyEvent::Text(escaped(&characters[range])));
        let events: Vec<_> = deltas.chain([ReplyEvent::Stop(StopReason::EndTurn)]).collect();
        prop_assert_eq!(run(&bounds, events.clone()), events);
    }
}

#[test]
fn a_sequence_is_found_wherever_it_is_split() {
    let ways = [
        vec![
            "o", "k", " ", "😀", r"\n", r#"\""#, "é", r"\u2028", "!", "t",
        ],
        vec![
            "o",
            "k",
            " ",
            r"\ud83d\ude00",
            r"\u000a",
            r"\u0022",
            r"\u00e9",
            r"\u2028",
            "!",
            "t",
        ],
    ];
    for characters in ways {
        for first in 0..=characters.len() {
            for second in first..=characters.len() {
                let cuts = [0..first, first..second, second..characters.len()];
                let events = cuts.map(|range| ReplyEvent::Text(escaped(&characters[range])));
                let bounded = run(&stop_at(&["never", "😀\n\"é\u{2028}!"]), events);
                assert_eq!(said(&bounded), "ok ", "{first} {second}");
                assert_eq!(
                    bounded.last(),
                    Some(&ReplyEvent::Stop(StopReason::StopSequence))
                );
            }
        }
    }
}

#[test]
fn the_sequence_that_ends_first_counts_and_of_two_the_longer() {
    for (sequences, whole, expected) in [
        (&["abcd", "bc"][..], "xabcd", "xa"),
        (&["c", "abc"], "xabc", "x"),
        (&["aab"], "xaaab", "xa"),
        (&["a"], "a", ""),
        (&["ab"], "xa", "xa"),
    ] {
        let bounded = run(
            &stop_at(sequences),
            [text(whole), ReplyEvent::Stop(StopReason::EndTurn)],
        );
        assert_eq!(said(&bounded), expected, "{sequences:?} in {whole:?}");
    }
}

#[test]
fn a_sequence_is_looked_for_in_text_only_and_not_across_blocks() {
    let thought = ReplyEvent::Reasoning("STOP".into());
    let input = ReplyEvent::ToolInput(JsonText::new(r#"{"a":"STOP"}"#));
    let [start, _, end] = call("1");
    let events = [
        ReplyEvent::Start,
        thought,
        text("ST"),
        start,
        input,
        end,
        text("OP"),
        ReplyEvent::Stop(StopReason::ToolUse),
    ];
    assert_eq!(run(&stop_at(&["STOP"]), events.clone()), events);
}

#[test]
fn a_limit_cuts_between_characters_and_ends_the_reply() {
    let events = [ReplyEvent::Start, text("1234567é"), text("more")];
    assert_eq!(
        run(&at_most(2), events),
        [
            ReplyEvent::Start,
            text("1234567"),
            ReplyEvent::Stop(StopReason::MaxTokens)
        ]
    );
}

#[test]
fn a_reply_that_just_fits_is_left_alone() {
    let events = [text("12345678"), ReplyEvent::Stop(StopReason::EndTurn)];
    assert_eq!(run(&at_most(2), events.clone()), events);
}

#[test]
fn thoughts_count_too() {
    let events = [ReplyEvent::Reasoning("1234567".into()), text("89")];
    assert_eq!(
        run(&at_most(2), events),
        [
            ReplyEvent::Reasoning("1234567".into()),
            text("8"),
            ReplyEvent::Stop(StopReason::MaxTokens)
        ]
    );
    let redacted = [ReplyEvent::Redacted("MTIzNDU2Nzg5".into()), text("x")];
    assert_eq!(
        run(&at_most(2), redacted),
        [ReplyEvent::Stop(StopReason::MaxTokens)]
    );
}

#[test]
fn a_call_that_is_open_at_the_limit_is_cut() {
    let [start, _, end] = call("1");
    let half = ReplyEvent::ToolInput(JsonText::new(r#"{"a""#));
    let rest = ReplyEvent::ToolInput(JsonText::new(r#":1}"#));
    assert_eq!(
        run(&at_most(3), [start.clone(), half.clone(), rest, end]),
        [
            start,
            half,
            ReplyEvent::ToolUseCut,
            ReplyEvent::Stop(StopReason::MaxTokens)
        ]
    );
    // Not even its name fits.
    let [start, ..] = call("1");
    assert_eq!(
        run(&at_most(1), [text("x"), start]),
        [text("x"), ReplyEvent::Stop(StopReason::MaxTokens)]
    );
}

#[test]
fn the_first_complete_call_is_the_only_one() {
    let events = [text("I look.")].into_iter().chain(call("1"));
    let expected: Vec<_> = events
        .clone()
        .chain([ReplyEvent::Stop(StopReason::ToolUse)])
        .collect();
    let events = events.chain([text("more")]).chain(call("2"));
    assert_eq!(run(&calls(Calls::One), events), expected);
}

#[test]
fn calls_that_nobody_wants_are_left_out() {
    let events = [text("a")].into_iter().chain(call("1"));
    let events = events.chain([ReplyEvent::Stop(StopReason::ToolUse)]);
    assert_eq!(
        run(&calls(Calls::None), events),
        [text("a"), ReplyEvent::Stop(StopReason::EndTurn)]
    );
}

#[test]
fn what_forces_a_tool_is_said_last_and_leaves_the_rest_alone() {
    for (names, expected) in [
        (
            &["find"][..],
            "<system>\nAnswer with a tool call and not with text alone. Use the tool find.\n</system>",
        ),
        (
            &["a", "b"],
            "<system>\nAnswer with a tool call and not with text alone. Use one of the tools.\n</system>",
        ),
        // Upstream it has another name.
        (
            &["a.b"],
            "<system>\nAnswer with a tool call and not with text alone. Use the tool.\n</system>",
        ),
    ] {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let before = Conversation::new("m");
        let mut conversation = before.clone();
        Force { names }.instruct(&mut conversation);
        let said = conversation.turns.pop().unwrap();
        assert_eq!(conversation, before);
        assert_eq!(said.role, Role::User);
        assert_eq!(said.blocks, [Block::Text(expected.into())]);
    }
}
