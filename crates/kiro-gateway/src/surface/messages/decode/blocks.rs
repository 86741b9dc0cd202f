//! Blocks of content.

use anthropic_types::{Block, Content, Json, SearchContent, SearchResult, Source as From, Text};
use kiro_protocol::conversation::{Image, JsonObject, Reasoning, ResultPart, ToolResult, ToolUse};
use kiro_protocol::rpc::WebPage;
use kiro_protocol::text::JsonText;

use super::parse::parse;
use super::place::Place;
use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::search;
use crate::surface::image::{self, Seen};
use crate::surface::messages::blocks::UNSIGNED;
use crate::surface::messages::opaque;
use crate::surface::source::Source;
use crate::surface::words::{LEFT_OUT, join, marker};

/// One block of content, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(JsonText),
    Image(Image),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
    /// What a search brought, in the middle of the model's own turn.
    Found(ToolResult),
    Reasoning(Reasoning),
}

/// Reads blocks of content.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: Source<'a>,
    /// Whether the request offers a search: then old ones are told as what they were.
    pub(super) searches: bool,
    /// The pictures that were fetched.
    pub(super) fetched: &'a Pictures,
    /// Pictures that are still to be fetched.
    pub(super) wanted: Vec<Wanted>,
}

impl Reader<'_> {
    /// The pieces of some content, each with the index of its block. Empty texts are left out.
    pub(super) fn pieces(
        &mut self,
        content: &Content<'_>,
        place: &Place<'_>,
    ) -> Result<Vec<(usize, Piece)>, Error> {
        let blocks = match content {
            Content::Text(text) => {
                let text = self.source.text(text.as_json(), place)?;
                let piece = (!text.is_empty()).then_some((0, Piece::Text(text)));
                return Ok(piece.into_iter().collect());
            }
            Content::Blocks(blocks) => blocks,
        };
        let blocks: Vec<Block<'_>> = parse(blocks.as_json().as_bytes(), place)?;
        let mut pieces = Vec::with_capacity(blocks.len());
        for (index, block) in blocks.iter().enumerate() {
            let piece = self.piece(block, &place.item(index))?;
            pieces.extend(piece.map(|piece| (index, piece)));
        }
        Ok(pieces)
    }

    /// One block. `None` for what is left out on purpose: empty texts, pictures that are still to be
    /// fetched, and thoughts that the service would not take back.
    ///
    /// What nobody here knows becomes a text that says so: in a history it is no reason to refuse, and a
    /// model that is told of a gap does better than one that is not.
    fn piece(&mut self, block: &Block<'_>, place: &Place<'_>) -> Result<Option<Piece>, Error> {
        let kind = block.kind.as_deref();
        let kind = kind.or(block.text.as_ref().map(|_| "text"));
        match kind.ok_or_else(|| place.member("type").missing())? {
            "text" => {
                let text = self.text(block.text.as_ref(), &place.member("text"))?;
                Ok((!text.is_empty()).then_some(Piece::Text(text)))
            }
            "image" => self.picture(block, place),
            "document" => self.document(block, place).map(Some),
            "search_result" => self.search_result(block, place).map(Some),
            "tool_use" => self.tool_use(block, place).map(Some),
            "server_tool_use" if block.name.as_deref() == Some(search::NAME) => {
                match self.searches {
                    true => self.tool_use(block, place).map(Some),
                    // What it brought says enough.
                    false => Ok(None),
                }
            }
            "web_search_tool_result" => self.found(block, place).map(Some),
            "tool_result" => self.tool_result(block, place).map(Some),
            "thinking" => self.thinking(block, place),
            "redacted_thinking" => {
                let data = block.data.clone().filter(|data| !data.is_empty());
                Ok(data.map(|data| Piece::Reasoning(Reasoning::Redacted(data))))
            }
            "compaction" => match &block.content {
                Some(content) => self.texts(content, &place.member("content")).map(Some),
                None => Ok(None),
            },
            other => Ok(Some(Piece::Text(marker(other)))),
        }
    }

    fn text(&self, text: Option<&Text<'_>>, place: &Place<'_>) -> Result<JsonText, Error> {
        let text = text.ok_or_else(|| place.missing())?;
        self.source.text(text.as_json(), place)
    }

    /// Thoughts go back as they came, if the service signed them. Those without a text were shown
    /// without, so the signature fits nothing.
    fn thinking(&self, block: &Block<'_>, place: &Place<'_>) -> Result<Option<Piece>, Error> {
        let signature = block.signature.as_deref().unwrap_or_default();
        let (Some(thinking), false) = (&block.thinking, matches!(signature, "" | UNSIGNED)) else {
            return Ok(None);
        };
        let text = self
            .source
            .text(thinking.as_json(), &place.member("thinking"))?;
        let signature = signature.to_owned();
        Ok((!text.is_empty()).then_some(Piece::Reasoning(signed(text, signature))))
    }

    /// A picture. `None` for one that is still to be fetched.
    fn picture(&mut self, block: &Block<'_>, place: &Place<'_>) -> Result<Option<Piece>, Error> {
        let place = place.member("source");
        let from: From<'_> = self::source(block, &place)?;
        match (from.kind.as_deref(), &from.data, &from.url) {
            (Some("base64") | None, Some(data), _) => {
                let place = place.member("data");
                let data = self.source.plain(data.as_json(), &place)?;
                Ok(Some(Piece::Image(image::from_base64(data, &place)?)))
            }
            (Some("url") | None, _, Some(url)) => self.picture_at(url, &place.member("url")),
            (Some("base64"), None, _) => Err(place.member("data").missing()),
            (Some("url"), _, None) => Err(place.member("url").missing()),
            (None, ..) => Err(place.member("type").missing()),
            (Some(other), ..) => {
                Err(place.refuse(format!("image sources of type '{other}' are not supported")))
            }
        }
    }

    fn picture_at(&mut self, url: &Text<'_>, place: &Place<'_>) -> Result<Option<Piece>, Error> {
        let url = self.source.plain(url.as_json(), place)?;
        let seen = image::at(url, self.fetched, &mut self.wanted, place)?;
        Ok(seen.map(|seen| match seen {
            Seen::Image(image) => Piece::Image(image),
            Seen::LeftOut => Piece::Text(LEFT_OUT.into()),
        }))
    }

    /// A document of text is text; everything else is refused, because the model would answer as if it
    /// had read it.
    fn document(&mut self, block: &Block<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let place = place.member("source");
        let from: From<'_> = self::source(block, &place)?;
        let text = match (from.kind.as_deref(), &from.content) {
            (Some("text"), _) => self.text(from.data.as_ref(), &place.member("data"))?,
            (Some("content"), Some(content)) => self.joined(content, &place.member("content"))?,
            (Some("content"), None) => return Err(place.member("content").missing()),
            (Some("base64"), _) => {
                let kind = from.media_type.as_deref().unwrap_or("application/pdf");
                return Err(unsupported_document(&place, kind));
            }
            (Some(kind), _) => return Err(unsupported_document(&place, kind)),
            (None, _) => return Err(place.member("type").missing()),
        };
        let about = [("title", &block.title), ("context", &block.context)];
        Ok(Piece::Text(tagged("document", &about, &text)))
    }

    fn search_result(&mut self, block: &Block<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let content = block.content.as_ref();
        let content = content.ok_or_else(|| place.member("content").missing())?;
        let place = place.member("content");
        let content = parse(content.as_json().as_bytes(), &place)?;
        let text = self.joined(&content, &place)?;
        let source = block.source.as_ref();
        let source = source.and_then(|json| serde_json::from_str(json.as_json()).ok());
        let about = [("title", &block.title), ("source", &source)];
        Ok(Piece::Text(tagged("search_result", &about, &text)))
    }

    fn texts(&mut self, content: &Json<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let content = parse(content.as_json().as_bytes(), place)?;
        self.joined(&content, place).map(Piece::Text)
    }

    /// All texts of some content as one.
    fn joined(&mut self, content: &Content<'_>, place: &Place<'_>) -> Result<JsonText, Error> {
        let pieces = self.pieces(content, place)?;
        let texts = pieces
            .into_iter()
            .map(|(_, piece)| match piece.into_result() {
                ResultPart::Text(text) => text,
                _ => marker("image"),
            });
        let texts: Vec<JsonText> = texts.collect();
        let escaped: Vec<&str> = texts.iter().map(JsonText::escaped).collect();
        Ok(join(&[&escaped.join("\\n\\n")]))
    }

    fn tool_use(&self, block: &Block<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let id = block.id.clone();
        let name = block.name.clone();
        Ok(Piece::ToolUse(ToolUse {
            id: id.ok_or_else(|| place.member("id").missing())?,
            name: name.ok_or_else(|| place.member("name").missing())?,
            input: self.input(block.input.as_ref(), &place.member("input"))?,
        }))
    }

    /// The arguments of an old call. Whatever the model wrote, it wrote: a string is taken apart, and
    /// broken JSON in it is wrapped.
    fn input(&self, input: Option<&Json<'_>>, place: &Place<'_>) -> Result<JsonObject, Error> {
        match input.map(Json::as_json) {
            None => Ok(JsonObject::empty()),
            Some(text) if text.starts_with('"') => {
                Ok(JsonObject::parse_or_wrap(self.source.plain(text, place)?))
            }
            Some(object) => self.source.object(object, place),
        }
    }

    fn found(&self, block: &Block<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let id = block.tool_use_id.clone();
        let id = id.ok_or_else(|| place.member("tool_use_id").missing())?;
        let content = block.content.as_ref().map(Json::as_json);
        // Another's shapes are no reason to refuse a history.
        let content = content.and_then(|json| serde_json::from_str(json).ok());
        let (text, is_error) = match &content {
            Some(SearchContent::Results(results)) => {
                let pages: Vec<WebPage> = results.iter().map(page).collect();
                (search::as_text(&pages), false)
            }
            Some(SearchContent::Error(error)) => {
                let text = format!("The search failed: {}.", error.error_code);
                (JsonText::new(&text), true)
            }
            None => (
                JsonText::new("What the search brought cannot be shown here."),
                true,
            ),
        };
        if !self.searches {
            return Ok(Piece::Text(tagged("web_search", &[], &text)));
        }
        Ok(Piece::Found(ToolResult {
            id,
            content: vec![ResultPart::Text(text)],
            is_error,
        }))
    }

    fn tool_result(&mut self, block: &Block<'_>, place: &Place<'_>) -> Result<Piece, Error> {
        let id = block.tool_use_id.clone();
        let id = id.ok_or_else(|| place.member("tool_use_id").missing())?;
        let place = place.member("content");
        let pieces = match &block.content {
            Some(content) => {
                let content = parse(content.as_json().as_bytes(), &place)?;
                self.pieces(&content, &place)?
            }
            None => Vec::new(),
        };
        let content = pieces.into_iter().map(|(_, piece)| piece.into_result());
        Ok(Piece::ToolResult(ToolResult {
            id,
            content: content.collect(),
            is_error: block.is_error.unwrap_or_default(),
        }))
    }
}

/// What is known of a page that a search brought: from its opaque content if that is ours.
fn page(result: &SearchResult<'_>) -> WebPage {
    let mut page = opaque::open(&result.encrypted_content).unwrap_or_default();
    page.url = result.url.to_string();
    page.title = Some(result.title.to_string()).filter(|title| !title.is_empty());
    page
}

impl Piece {
    fn into_result(self) -> ResultPart {
        match self {
            Self::Text(text) => ResultPart::Text(text),
            Self::Image(image) => ResultPart::Image(image),
            Self::ToolUse(_) => ResultPart::Text(marker("tool_use")),
            Self::ToolResult(_) | Self::Found(_) => ResultPart::Text(marker("tool_result")),
            Self::Reasoning(_) => ResultPart::Text(marker("thinking")),
        }
    }
}

fn signed(text: JsonText, signature: String) -> Reasoning {
    Reasoning::Signed { text, signature }
}

fn source<'a>(block: &'a Block<'_>, place: &Place<'_>) -> Result<From<'a>, Error> {
    let source = block.source.as_ref().ok_or_else(|| place.missing())?;
    parse(source.as_json().as_bytes(), place)
}

fn unsupported_document(place: &Place<'_>, kind: &str) -> Error {
    place.refuse(format!("document blocks of type {kind} are not supported"))
}

/// A text with its name around it, and what is known of it.
fn tagged(tag: &str, about: &[(&str, &Option<String>)], text: &JsonText) -> JsonText {
    let about: String = about
        .iter()
        .filter_map(|(name, value)| Some(format!(" {name}={:?}", value.as_deref()?)))
        .collect();
    let (before, after) = (
        JsonText::new(&format!("<{tag}{about}>\n")),
        JsonText::new(&format!("\n</{tag}>")),
    );
    join(&[before.escaped(), text.escaped(), after.escaped()])
}
