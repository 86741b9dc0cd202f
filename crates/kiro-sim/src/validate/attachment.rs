//! Pictures and documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::envelope::Opened;
use super::history::Speaker;
use super::shape::{Kind, Place, check_members, list, object, text};
use super::{Rules, Violation};
use crate::catalog::Model;
use crate::picture::{self, Format};

/// Formats that the model of the service knows. Source: the official server SDK.
const DOCUMENT_FORMATS: &[&str] = &[
    "csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx",
];

/// Checks the attachments of every user message.
pub(super) fn check(
    request: &Opened<'_>,
    model: Option<&Model>,
    rules: &Rules,
) -> Result<(), Violation> {
    let mut n_images = 0;
    for (index, entry) in request.history.iter().enumerate() {
        let place = Place::History(index);
        if let Speaker::User(message) = Speaker::of(entry, place)? {
            n_images += check_message(message, place, rules)?;
        }
    }
    n_images += check_message(request.current, Place::Current, rules)?;
    let limit = rules.limits.images;
    if n_images > limit {
        let detail = format!("{n_images} images, more than {limit}");
        return Err(refused(
            "I4",
            "IMAGE_COUNT_EXCEEDED",
            "Too many images.",
            detail,
        ));
    }
    if rules.is_strict() && n_images > 0 && model.is_some_and(|model| !model.sees()) {
        return Err(Violation::improper("I5", "the model takes no images"));
    }
    Ok(())
}

fn check_message(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<usize, Violation> {
    let images = list(message, "images");
    for image in images {
        check_image(object(image, "image", place)?, place, rules)?;
    }
    for document in list(message, "documents") {
        check_document(object(document, "document", place)?, place, rules)?;
    }
    Ok(images.len())
}

fn check_image(image: &Map<String, Value>, place: Place, rules: &Rules) -> Result<(), Violation> {
    check_members(
        image,
        &[("format", Kind::Text), ("source", Kind::Object)],
        place,
        rules,
    )?;
    let Some(format) = text(image, "format").and_then(Format::from_name) else {
        let message = "The image format is not supported.";
        let detail = format!("{place}: an image's format is not png, jpeg, gif or webp");
        return Err(refused("I1", "IMAGE_FORMAT_UNSUPPORTED", message, detail));
    };
    let bytes = source_bytes(image, place, "I2", rules)?;
    let Some(seen) = picture::inspect(&bytes).filter(|seen| seen.format == format) else {
        let message = "The image is not of the declared format.";
        let detail = format!("{place}: an image is not a {}", format.name());
        return Err(refused("I3", "IMAGE_MIME_MISMATCH", message, detail));
    };
    if bytes.len() > rules.limits.image_bytes {
        let detail = format!("{place}: an image of {} bytes", bytes.len());
        return Err(refused(
            "I4",
            "IMAGE_SIZE_EXCEEDED",
            "The image is too large.",
            detail,
        ));
    }
    let side = rules.limits.image_side;
    if seen
        .size
        .is_some_and(|(width, height)| width > side || height > side)
    {
        let message = "The image has too many pixels.";
        let detail = format!("{place}: an image with a side of more than {side} pixels");
        return Err(refused("I4", "IMAGE_DIMENSION_EXCEEDED", message, detail));
    }
    Ok(())
}

fn check_document(
    document: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    let known = [
        ("name", Kind::Text),
        ("format", Kind::Text),
        ("source", Kind::Object),
    ];
    check_members(document, &known, place, rules)?;
    if text(document, "name").is_none_or(|name| name.trim().is_empty()) {
        let detail = format!("{place}: a document without a name");
        return Err(refused(
            "D1",
            "INVALID_DOCUMENT_NAME",
            "Invalid document name.",
            detail,
        ));
    }
    if !text(document, "format").is_some_and(|format| DOCUMENT_FORMATS.contains(&format)) {
        let detail = format!("{place}: a document of an unknown format");
        return Err(refused(
            "D1",
            "DISALLOWED_FILE_TYPE",
            "Disallowed file type.",
            detail,
        ));
    }
    source_bytes(document, place, "D1", rules).map(drop)
}

fn source_bytes(
    attachment: &Map<String, Value>,
    place: Place,
    rule: &'static str,
    rules: &Rules,
) -> Result<Vec<u8>, Violation> {
    let source = attachment.get("source").and_then(Value::as_object);
    if let Some(source) = source {
        check_members(source, &[("bytes", Kind::Any)], place, rules)?;
    }
    let bytes = source.and_then(|source| source.get("bytes"));
    bytes
        .and_then(Value::as_str)
        .and_then(|base64| STANDARD.decode(base64).ok())
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| Violation::improper(rule, format!("{place}: source.bytes is not base64")))
}

fn refused(rule: &'static str, reason: &'static str, message: &str, detail: String) -> Violation {
    Violation::invalid(rule, Some(reason), message, detail)
}
