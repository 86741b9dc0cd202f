//! Content parts.

use kiro_protocol::conversation::{Block, Image, ResultPart};
use kiro_protocol::text::JsonText;
use openai_types::Text;
use openai_types::responses::Part;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::surface::image::{self, Seen};
use crate::surface::openai::{missing, parse};
use crate::surface::source::Source;
use crate::surface::words::{LEFT_OUT, marker};

/// One part of content, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(JsonText),
    Image(Image),
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
    /// The pieces of a content, which is a string or an array, empty texts left out.
    pub(super) fn pieces(
        &mut self,
        content: Option<&RawValue>,
        place: &str,
    ) -> Result<Vec<Piece>, Error> {
        let Some(content) = content.map(RawValue::get) else {
            return Ok(Vec::new());
        };
        if content.starts_with('"') {
            let text = self.source.text(content, &place)?;
            return Ok(Vec::from_iter(
                (!text.is_empty()).then_some(Piece::Text(text)),
            ));
        }
        if !content.starts_with('[') {
            let message = format!(
                "Invalid type for '{place}': expected a string or an array of parts, but got something else."
            );
            return Err(Error::invalid(place, Some("invalid_type"), message));
        }
        let parts: Vec<Part<'_>> = parse::parse_at(content, place)?;
        let mut pieces = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            pieces.extend(self.piece(part, &format!("{place}[{index}]"))?);
        }
        Ok(pieces)
    }

    /// One part. `None` for empty texts and for pictures that are still to be fetched.
    fn piece(&mut self, part: &Part<'_>, place: &str) -> Result<Option<Piece>, Error> {
        let kind = match &part.kind {
            Some(kind) => &**kind,
            None if part.text.is_some() => "input_text",
            None if part.image_url.is_some() => "input_image",
            None => "untyped",
        };
        match kind {
            "input_text" | "output_text" | "text" | "summary_text" => {
                self.text(part.text.as_ref(), &format!("{place}.text"))
            }
            "refusal" => self.text(part.refusal.as_ref(), &format!("{place}.refusal")),
            "input_image" | "image_url" => self.picture(part, &format!("{place}.image_url")),
            "input_file" | "file" => self.file(part, place),
            "input_audio" => Err(Error::invalid(
                place,
                Some("unsupported_value"),
                "Unsupported value: audio input and output are not supported with this model.",
            )),
            other => Ok(Some(Piece::Text(marker(other)))),
        }
    }

    fn text(&self, text: Option<&Text<'_>>, place: &str) -> Result<Option<Piece>, Error> {
        let text = text.ok_or_else(|| missing(place))?;
        let text = self.source.text(text.as_json(), &place)?;
        Ok((!text.is_empty()).then_some(Piece::Text(text)))
    }

    fn picture(&mut self, part: &Part<'_>, place: &str) -> Result<Option<Piece>, Error> {
        let Some(url) = &part.image_url else {
            return Err(match part.file_id {
                Some(_) => Error::invalid(
                    place,
                    Some("invalid_value"),
                    "Invalid image: there is no store of files to take an id from. Send the image as a base64 data URL.",
                ),
                None => missing(place),
            });
        };
        let url = self.source.plain(url.url.as_json(), &place)?;
        let seen = image::at(url, self.fetched, &mut self.wanted, &place)?;
        Ok(seen.map(|seen| match seen {
            Seen::Image(image) => Piece::Image(image),
            Seen::LeftOut => Piece::Text(LEFT_OUT.into()),
        }))
    }

    fn file(&self, part: &Part<'_>, place: &str) -> Result<Option<Piece>, Error> {
        let Some(data) = &part.file_data else {
            return Err(match (&part.file_id, &part.file_url) {
                (Some(_), _) => {
                    image::unsupported_file("there is no store of files to take an id from", &place)
                }
                (None, Some(_)) => {
                    image::unsupported_file("files are not fetched from a URL", &place)
                }
                (None, None) => missing(&format!("{place}.file_data")),
            });
        };
        let data = self.source.plain(data.as_json(), &place)?;
        let text = image::file(&data, part.filename.as_deref(), &place)?;
        Ok(Some(Piece::Text(text)))
    }
}

impl Piece {
    /// The piece as a block of a turn.
    pub(super) fn into_block(self) -> Block {
        match self {
            Self::Text(text) => Block::Text(text),
            Self::Image(image) => Block::Image(image),
        }
    }

    /// The piece as a part of what a tool returned.
    pub(super) fn into_result(self) -> ResultPart {
        match self {
            Self::Text(text) => ResultPart::Text(text),
            Self::Image(image) => ResultPart::Image(image),
        }
    }
}
