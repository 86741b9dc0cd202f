//! How large a prompt is.

use std::sync::OnceLock;

use kiro_protocol::conversation::{Block, Conversation, Reasoning, ResultPart};
use kiro_protocol::text::JsonText;

use super::tokenizer::{BYTES_PER_TOKEN, count, floor, scaled};

/// Most bytes of a prompt that are kept for counting. A count is needed only when the service says
/// nothing of its own, and prompts are large; so a sample is kept, and counted if it comes to that.
const SAMPLE: usize = 32 * 1024;

/// Bytes in a row in a sample. Enough that the words which are cut at its ends hardly count.
const SLICE: usize = 1024;

/// Tokens that a picture is counted as: what Claude charges at most for one that it need not scale down
/// (source: Anthropic's guide to vision, 2026).
const TOKENS_PER_IMAGE: u64 = 1600;

/// Tokens that divide messages and tools from each other (source: the OpenAI cookbook on counting tokens;
/// other gateways, late 2026).
const TOKENS_PER_ITEM: u64 = 4;

/// A prompt, kept small, to be counted if nobody else does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    model: String,
    /// Bytes of all texts and JSON.
    bytes: u64,
    /// How many of them the sample stands for.
    sampled: u64,
    /// Pieces of it one after the other, as they are written.
    sample: String,
    /// Where each of them ends, and whether it has escapes, which count as what they stand for.
    pieces: Vec<(usize, bool)>,
    /// Messages and tools.
    items: u64,
    images: u64,
    /// Its tokens, once somebody has asked.
    counted: OnceLock<u64>,
}

impl Prompt {
    /// Measures everything that goes upstream: system prompt, history, results, pictures, tools.
    pub(crate) fn of(conversation: &Conversation) -> Self {
        let mut prompt = Self {
            model: conversation.model.clone(),
            items: (conversation.turns.len() + conversation.tools.len()) as u64,
            ..Self::default()
        };
        visit(conversation, &mut |piece| match piece {
            Piece::Image => prompt.images += 1,
            text => prompt.bytes += text.written().len() as u64,
        });
        let mut sampler = Sampler::new(&mut prompt);
        visit(conversation, &mut |piece| sampler.take(&piece));
        prompt
    }

    /// Its tokens; never zero.
    pub(crate) fn tokens(&self) -> u64 {
        *self.counted.get_or_init(|| self.count())
    }

    /// The same by its bytes alone, which costs nothing.
    pub(crate) fn rough_tokens(&self) -> u64 {
        let text = scaled(self.bytes / BYTES_PER_TOKEN, &self.model);
        self.with_the_rest(text)
    }

    fn count(&self) -> u64 {
        let sample = u128::from(scaled(count(&self.sampled_text()), &self.model));
        let text = sample * u128::from(self.bytes) / u128::from(self.sampled.max(1));
        self.with_the_rest(u64::try_from(text).unwrap_or(u64::MAX))
    }

    fn sampled_text(&self) -> String {
        let mut sampled = String::with_capacity(self.sample.len() + self.pieces.len());
        let mut start = 0;
        for (end, is_escaped) in &self.pieces {
            let piece = &self.sample[start..*end];
            let text = is_escaped.then(|| JsonText::from_escaped(piece.to_owned().into()));
            match text {
                Some(Ok(text)) => sampled.push_str(&text.unescape()),
                // A slice that begins or ends inside of an escape counts as it is written.
                _ => sampled.push_str(piece),
            }
            // Pieces do not run into each other.
            sampled.push('\n');
            start = *end;
        }
        sampled
    }

    /// The tokens of the text, with those of what is no text.
    fn with_the_rest(&self, text: u64) -> u64 {
        let items = self.items.saturating_mul(TOKENS_PER_ITEM);
        let images = self.images.saturating_mul(TOKENS_PER_IMAGE);
        text.saturating_add(items).saturating_add(images).max(1)
    }
}

/// A part of a conversation as it counts.
enum Piece<'a> {
    Text(&'a JsonText),
    Plain(&'a str),
    Image,
}

impl Piece<'_> {
    /// The bytes, escaped if they are.
    fn written(&self) -> &str {
        match self {
            Self::Text(text) => text.escaped(),
            Self::Plain(text) => text,
            Self::Image => "",
        }
    }
}

fn visit(conversation: &Conversation, see: &mut dyn FnMut(Piece<'_>)) {
    for text in &conversation.system {
        see(Piece::Text(text));
    }
    for block in conversation.turns.iter().flat_map(|turn| &turn.blocks) {
        match block {
            Block::Text(text) | Block::Reasoning(Reasoning::Signed { text, .. }) => {
                see(Piece::Text(text));
            }
            Block::Image(_) => see(Piece::Image),
            Block::ToolUse(call) => {
                see(Piece::Plain(&call.name));
                see(Piece::Plain(call.input.as_str()));
            }
            Block::ToolResult(result) => {
                for part in &result.content {
                    match part {
                        ResultPart::Text(text) => see(Piece::Text(text)),
                        ResultPart::Image(_) => see(Piece::Image),
                    }
                }
            }
            // Thoughts in a form that only the model can read: what they cost is not known.
            Block::Reasoning(Reasoning::Redacted(_)) => {}
        }
    }
    for tool in &conversation.tools {
        see(Piece::Plain(&tool.name));
        see(Piece::Text(&tool.description));
        see(Piece::Plain(tool.schema.as_str()));
    }
}

/// Takes slices at even distances, or everything if that is little enough.
struct Sampler<'a> {
    prompt: &'a mut Prompt,
    /// From the beginning of a slice to that of the next. `None` takes everything.
    stride: Option<u64>,
    /// Bytes that went by.
    at: u64,
    /// Where the next slice begins.
    next: u64,
}

impl<'a> Sampler<'a> {
    fn new(prompt: &'a mut Prompt) -> Self {
        const SLICES: u64 = (SAMPLE / SLICE) as u64;
        let is_small = prompt.bytes <= SAMPLE as u64;
        Self {
            stride: (!is_small).then_some(prompt.bytes / SLICES),
            prompt,
            at: 0,
            next: 0,
        }
    }

    fn take(&mut self, piece: &Piece<'_>) {
        let written = piece.written();
        let end = self.at + written.len() as u64;
        match self.stride {
            None => self.keep(piece, 0, written.len()),
            Some(stride) => {
                while self.next < end {
                    // The next slice begins in this piece, so the difference is an index into it.
                    let start = floor(written, (self.next - self.at) as usize);
                    let stop = floor(written, start + SLICE);
                    self.keep(piece, start, stop);
                    self.next += stride;
                }
            }
        }
        self.at = end;
    }

    fn keep(&mut self, piece: &Piece<'_>, start: usize, end: usize) {
        let slice = &piece.written()[start..end];
        self.prompt.sampled += slice.len() as u64;
        self.prompt.sample.push_str(slice);
        let end = self.prompt.sample.len();
        let is_escaped = matches!(piece, Piece::Text(_));
        self.prompt.pieces.push((end, is_escaped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::conversation::{
        Image, JsonObject, Role, ToolResult, ToolSpec, ToolUse, Turn,
    };

    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn asking(text: &str) -> Conversation {
        let mut conversation = Conversation::new("gpt-5.6-sol");
        let block = Block::Text(text.into());
        conversation.turns.push(Turn::new(Role::User, [block]));
        conversation
    }

    fn tokens(conversation: &Conversation) -> u64 {
        Prompt::of(conversation).tokens()
    }

    #[test]
    fn every_part_of_a_conversation_counts() {
        let call = ToolUse {
            id: "1".into(),
            name: "find_the_file".into(),
            input: JsonObject::parse(r#"{"name":"a long name"}"#).unwrap(),
        };
        let result = ToolResult {
            id: "1".into(),
            content: vec![ResultPart::Text("it is in the cellar".into())],
            is_error: false,
        };
        let tool = ToolSpec {
            name: "find_the_file".into(),
            description: "finds a file".into(),
            schema: JsonObject::parse(r#"{"type":"object"}"#).unwrap(),
        };
        let mut conversation = asking("where is it?");
        let mut before = tokens(&conversation);
        let mut grows = |conversation: &Conversation, by: u64| {
            let now = tokens(conversation);
            assert!(now >= before + by, "{before} {now}");
            before = now;
        };
        conversation.system.push("Be brief in what you say.".into());
        grows(&conversation, 6);
        let blocks = [Block::ToolUse(call)];
        conversation.turns.push(Turn::new(Role::Assistant, blocks));
        grows(&conversation, 8);
        let blocks = [Block::ToolResult(result)];
        conversation.turns.push(Turn::new(Role::User, blocks));
        grows(&conversation, 5);
        conversation.tools.push(tool);
        grows(&conversation, 8);
        let image = Block::Image(Image::from_base64(PNG).unwrap());
        conversation.turns[0].blocks.push(image);
        grows(&conversation, TOKENS_PER_IMAGE);
    }

    #[test]
    fn a_prompt_counts_by_its_text_and_not_by_its_escapes() {
        let plain = tokens(&asking("say \"a\"\n\t\"b\""));
        let conversation = asking("say \"a\"\n\t\"b\"");
        assert_eq!(plain, count("say \"a\"\n\t\"b\"\n") + TOKENS_PER_ITEM);
        assert!(Prompt::of(&conversation).bytes > 14);
    }

    #[test]
    fn a_sample_is_small_and_stands_for_the_whole() {
        // Prose, code and Japanese by turns, so that a sample from one place would be wrong.
        let source = include_str!("prompt.rs");
        let prose = include_str!("../../../../docs/architecture.md");
        let japanese = "お誕生日おめでとうございます。".repeat(200);
        let text = [prose, source, &japanese, prose, source].concat();
        let mut conversation = asking(&text);
        for _ in 0..5 {
            let again = conversation.turns[0].clone();
            conversation.turns.push(again);
        }
        let prompt = Prompt::of(&conversation);
        assert!(prompt.sample.len() <= SAMPLE + SLICE);
        let exact = 6 * (count(&text) + TOKENS_PER_ITEM);
        let error = prompt.tokens().abs_diff(exact) as f64 / exact as f64;
        assert!(error < 0.08, "{error}");
    }

    #[test]
    fn nothing_is_still_a_prompt() {
        assert_eq!(tokens(&Conversation::new("auto")), 1);
    }
}
