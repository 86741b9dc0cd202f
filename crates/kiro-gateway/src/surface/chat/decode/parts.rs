//! Content parts.

use kiro_protocol::conversation::{Block, Image, JsonObject, ResultPart, ToolResult, ToolUse};
use kiro_protocol::text::JsonText;
use openai_types::chat::{Content, File, ImageUrl, Part};

use super::place::Place;
use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::surface::image::{self, Seen};
use crate::surface::source::Source;
use crate::surface::words::{LEFT_OUT, marker};

/// One part of content, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(JsonText),
    Image(Image),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
}

/// Reads content parts.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) source: Source<'a>,
    /// The pictures that were fetched.
    pub(super) fetched: &'a Pictures,
    /// Pictures that are still to be fetched.
    pub(super) wanted: Vec<Wanted>,
}

impl Parts<'_> {
    /// The pieces of a message's content, empty texts left out.
    pub(super) fn pieces(
        &mut self,
        content: Option<&Content<'_>>,
        place: Place,
    ) -> Result<Vec<Piece>, Error> {
        match content {
            None => Ok(Vec::new()),
            Some(Content::Text(text)) => {
                let text = self.source.text(text.as_json(), &place.member("content"))?;
                Ok(Vec::from_iter(
                    (!text.is_empty()).then_some(Piece::Text(text)),
                ))
            }
            Some(Content::Parts(parts)) => {
                let mut pieces = Vec::with_capacity(parts.len());
                for (index, part) in parts.iter().enumerate() {
                    pieces.extend(self.piece(part, place.part(index))?);
                }
                Ok(pieces)
            }
        }
    }

    /// One part. `None` for what is left out on purpose: empty texts, and thoughts, which the model
    /// takes back only with a signature that this API does not carry.
    ///
    /// What nobody here knows becomes a text that says so, because a model that is told of a gap does
    /// better than one that is not.
    fn piece(&mut self, part: &Part<'_>, place: Place) -> Result<Option<Piece>, Error> {
        let text = |text: &Option<openai_types::Text<'_>>, member| {
            let place = place.member(member);
            let text = text.as_ref().ok_or_else(|| place.missing())?;
            let text = self.source.text(text.as_json(), &place)?;
            Ok((!text.is_empty()).then_some(Piece::Text(text)))
        };
        match kind(part) {
            "text" | "input_text" | "output_text" => text(&part.text, "text"),
            "refusal" => text(&part.refusal, "refusal"),
            "thinking" | "redacted_thinking" | "reasoning" => Ok(None),
            "image_url" | "input_image" | "image" => self.picture(part, place),
            "file" | "input_file" => {
                let place = place.member("file");
                let file = part.file.as_ref().ok_or_else(|| place.missing())?;
                self.file(file, place).map(Some)
            }
            "input_audio" => Err(no_audio(&place.to_string())),
            "tool_use" => self.tool_use(part, place).map(Some),
            "tool_result" => self.tool_result(part, place).map(Some),
            other => Ok(Some(Piece::Text(marker(other)))),
        }
    }

    /// A picture. `None` for one that is still to be fetched.
    fn picture(&mut self, part: &Part<'_>, place: Place) -> Result<Option<Piece>, Error> {
        if let Some(ImageUrl { url, .. }) = &part.image_url {
            return self.picture_at(url, place.member("image_url"));
        }
        let source = part.source.as_ref();
        let source = source.ok_or_else(|| match kind(part) {
            "image" => place.member("source").missing(),
            _ => place.member("image_url").missing(),
        })?;
        let place = place.member("source");
        match (&source.data, &source.url) {
            (Some(data), _) => {
                let data = self.source.plain(data.as_json(), &place)?;
                Ok(Some(Piece::Image(image::from_base64(data, &place)?)))
            }
            (None, Some(url)) => self.picture_at(url, place),
            (None, None) => Err(place.member("data").missing()),
        }
    }

    fn picture_at(
        &mut self,
        url: &openai_types::Text<'_>,
        place: Place,
    ) -> Result<Option<Piece>, Error> {
        let url = self.source.plain(url.as_json(), &place)?;
        let seen = image::at(url, self.fetched, &mut self.wanted, &place)?;
        Ok(seen.map(|seen| match seen {
            Seen::Image(image) => Piece::Image(image),
            Seen::LeftOut => Piece::Text(LEFT_OUT.into()),
        }))
    }

    /// A file whose bytes are text is text; everything else is refused, because the model would answer
    /// as if it had read it.
    fn file(&self, file: &File<'_>, place: Place) -> Result<Piece, Error> {
        let Some(data) = &file.file_data else {
            return Err(match file.file_id {
                Some(_) => {
                    image::unsupported_file("there is no store of files to take an id from", &place)
                }
                None => place.member("file_data").missing(),
            });
        };
        let data = self.source.plain(data.as_json(), &place)?;
        let text = image::file(&data, file.filename.as_deref(), &place)?;
        Ok(Piece::Text(text))
    }

    fn tool_use(&self, part: &Part<'_>, place: Place) -> Result<Piece, Error> {
        let input = match &part.input {
            Some(input) => self
                .source
                .object(input.as_json(), &place.member("input"))?,
            None => JsonObject::empty(),
        };
        let id = part
            .id
            .clone()
            .ok_or_else(|| place.member("id").missing())?;
        let name = part.name.clone();
        let name = name.ok_or_else(|| place.member("name").missing())?;
        Ok(Piece::ToolUse(ToolUse { id, name, input }))
    }

    fn tool_result(&mut self, part: &Part<'_>, place: Place) -> Result<Piece, Error> {
        let id = part.tool_use_id.clone();
        let id = id.ok_or_else(|| place.member("tool_use_id").missing())?;
        let content = self.result(part.content.as_ref(), place)?;
        Ok(Piece::ToolResult(ToolResult {
            id,
            content,
            is_error: part.is_error.unwrap_or_default(),
        }))
    }

    /// What a tool returned.
    pub(super) fn result(
        &mut self,
        content: Option<&Content<'_>>,
        place: Place,
    ) -> Result<Vec<ResultPart>, Error> {
        let pieces = self.pieces(content, place)?;
        Ok(pieces.into_iter().map(Piece::into_result).collect())
    }
}

impl Piece {
    /// The piece as a block of a turn.
    pub(super) fn into_block(self) -> Block {
        match self {
            Self::Text(text) => Block::Text(text),
            Self::Image(image) => Block::Image(image),
            Self::ToolUse(tool_use) => Block::ToolUse(tool_use),
            Self::ToolResult(result) => Block::ToolResult(result),
        }
    }

    fn into_result(self) -> ResultPart {
        match self {
            Self::Text(text) => ResultPart::Text(text),
            Self::Image(image) => ResultPart::Image(image),
            Self::ToolUse(_) => ResultPart::Text(marker("tool_use")),
            Self::ToolResult(_) => ResultPart::Text(marker("tool_result")),
        }
    }
}

/// The part's type, or what it must be if it does not say.
fn kind<'a>(part: &'a Part<'_>) -> &'a str {
    match &part.kind {
        Some(kind) => kind,
        None if part.text.is_some() => "text",
        None if part.image_url.is_some() => "image_url",
        None => "untyped",
    }
}

/// The refusal of sound.
pub(super) fn no_audio(param: &str) -> Error {
    Error::invalid(
        param,
        Some("unsupported_value"),
        "Unsupported value: audio input and output are not supported with this model.",
    )
}
