//! Pictures and files out of data URLs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;
use kiro_protocol::conversation::{Image, ImageError};
use kiro_protocol::text::JsonText;

use crate::error::Error;
use crate::image::{Pictures, Wanted};

/// What is at a URL.
#[derive(Debug)]
pub(super) enum Seen {
    Image(Image),
    /// A picture that was left out because there are newer ones.
    LeftOut,
}

/// What is at a URL. `None` for a picture that is still to be fetched, which is then wanted.
pub(super) fn at(
    url: ByteString,
    fetched: &Pictures,
    wanted: &mut Vec<Wanted>,
    place: &dyn fmt::Display,
) -> Result<Option<Seen>, Error> {
    if !is_remote(&url) {
        return Ok(Some(Seen::Image(from_url(url, place)?)));
    }
    let fetched = match fetched {
        Pictures::Fetched(fetched) => fetched,
        Pictures::Refused(reason) => return Err(not_fetched(reason, place)),
    };
    match fetched.get(&url) {
        Some(Some(image)) => Ok(Some(Seen::Image(image.clone()))),
        Some(None) => Ok(Some(Seen::LeftOut)),
        None => {
            let place = place.to_string();
            wanted.push(Wanted { url, place });
            Ok(None)
        }
    }
}

/// The text of a file, from its bytes in base64, with its name around it. Everything that is not text is
/// refused, because the model would answer as if it had read it.
pub(super) fn file(
    data: &str,
    name: Option<&str>,
    place: &dyn fmt::Display,
) -> Result<JsonText, Error> {
    let unsupported = |reason| unsupported_file(reason, place);
    let bytes = file_bytes(data).ok_or_else(|| unsupported("it is not base64"))?;
    let text = String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0') && !text.starts_with("%PDF-"))
        .ok_or_else(|| unsupported("only files of text can be read"))?;
    let name = name.unwrap_or("unnamed");
    Ok(JsonText::new(&format!(
        "<file name=\"{name}\">\n{text}\n</file>"
    )))
}

/// The refusal of a file.
pub(super) fn unsupported_file(reason: &str, place: &dyn fmt::Display) -> Error {
    let message = format!("Unsupported file: {reason}.");
    Error::invalid(place.to_string(), Some("unsupported_file"), message)
}

/// Takes a picture out of a URL. The label of the picture is not believed: its bytes are.
pub(crate) fn from_url(url: ByteString, place: &dyn fmt::Display) -> Result<Image, Error> {
    if let Some(base64) = data(&url) {
        return from_base64(url.slice_ref(base64), place);
    }
    let message =
        "Invalid image: expected an http(s) URL or a base64 data URL with an image MIME type.";
    Err(refuse(place, message))
}

/// Whether a URL names a picture that is somewhere else.
fn is_remote(url: &str) -> bool {
    let mut schemes = ["http:", "https:"].iter();
    schemes.any(|scheme| starts_with(url, scheme))
}

/// The refusal of a picture that is somewhere else.
fn not_fetched(reason: &str, place: &dyn fmt::Display) -> Error {
    let message = format!("Invalid image: {reason}. Send the image as a base64 data URL.");
    refuse(place, &message)
}

/// Takes a picture from base64, however it was broken into lines.
pub(crate) fn from_base64(base64: ByteString, place: &dyn fmt::Display) -> Result<Image, Error> {
    let image = Image::from_base64(base64.clone()).or_else(|error| match error {
        ImageError::Base64 => Image::from_base64(standard(&base64)),
        other => Err(other),
    });
    image.map_err(|error| {
        let message = match error {
            ImageError::Format => "Invalid image: it is neither PNG, JPEG, GIF nor WebP.",
            _ => {
                "Invalid image: expected an http(s) URL or a base64 data URL with an image MIME type."
            }
        };
        refuse(place, message).with_source(error)
    })
}

/// Takes the bytes of a file out of a data URL, or out of bare base64.
fn file_bytes(url: &str) -> Option<Vec<u8>> {
    let base64 = data(url).unwrap_or(url);
    STANDARD.decode(standard(base64)).ok()
}

/// What follows the comma of `data:image/png;base64,…`.
fn data(url: &str) -> Option<&str> {
    if !starts_with(url, "data:") {
        return None;
    }
    let (label, data) = url.split_once(',')?;
    let (_, encoding) = label.rsplit_once(';')?;
    encoding
        .trim()
        .eq_ignore_ascii_case("base64")
        .then_some(data)
}

fn starts_with(url: &str, scheme: &str) -> bool {
    let start = url.get(..scheme.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Base64 in the standard alphabet, on one line and padded: encoders for mail break lines, encoders for
/// URLs use another alphabet and leave the padding out.
fn standard(base64: &str) -> String {
    let mut standard: String = base64
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '=')
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard
}

fn refuse(place: &dyn fmt::Display, message: &str) -> Error {
    Error::invalid(place.to_string(), Some("invalid_value"), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::conversation::ImageFormat;

    const PNG: &str = "iVBORw0KGgo=";

    fn format(url: &str) -> Result<ImageFormat, String> {
        let image = from_url(url.into(), &"messages[0].content[1].image_url");
        match image {
            Ok(image) => Ok(image.format()),
            Err(error) => {
                assert_eq!(error.param(), Some("messages[0].content[1].image_url"));
                assert_eq!(error.code(), Some("invalid_value"));
                Err(error.public_message().to_owned())
            }
        }
    }

    #[test]
    fn bytes_are_believed_and_labels_are_not() {
        for label in [
            "image/png",
            "image/jpg",
            "text/plain",
            "IMAGE/PNG;name=a.png",
        ] {
            assert_eq!(
                format(&format!("data:{label};base64,{PNG}")),
                Ok(ImageFormat::Png)
            );
        }
        assert_eq!(format("DATA:;BASE64,/9j/4A=="), Ok(ImageFormat::Jpeg));
    }

    #[test]
    fn base64_of_other_encoders_is_taken() {
        for url in [
            "data:image/png;base64,iVBORw0KGgo",
            "data:image/png;base64,iVBO\r\nRw0K\n Ggo=\n",
            "data:image/jpeg;base64,_9j_4A",
        ] {
            assert!(format(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_remote_picture_is_known_by_its_scheme_alone() {
        for url in ["http://a/b", "HTTPS://a", "http:", "https:\\\\a"] {
            assert!(is_remote(url), "{url}");
        }
        for url in ["httpx://a", "ftp://a", "//a", "data:http:", ""] {
            assert!(!is_remote(url), "{url}");
        }
    }

    #[test]
    fn a_good_picture_is_not_copied() {
        let url = ByteString::from(format!("data:image/png;base64,{PNG}"));
        let image = from_url(url.clone(), &"").unwrap();
        assert_eq!(image.base64().as_ptr(), url[22..].as_ptr());
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for (url, words) in [
            ("file:///etc/passwd", "or a base64 data URL"),
            ("data:image/png,rawbytes", "or a base64 data URL"),
            ("data:image/png;base64,%%%", "or a base64 data URL"),
            (
                "data:image/png;base64,AAAA",
                "neither PNG, JPEG, GIF nor WebP",
            ),
            ("data:image/png;base64,", "neither PNG, JPEG, GIF nor WebP"),
            ("", "or a base64 data URL"),
            ("dätä:", "or a base64 data URL"),
        ] {
            let message = format(url).unwrap_err();
            assert!(message.contains(words), "{url}: {message}");
        }
    }

    #[test]
    fn files_are_read_with_and_without_a_label() {
        assert_eq!(file_bytes("data:text/plain;base64,SGk=").unwrap(), b"Hi");
        assert_eq!(file_bytes("SGk").unwrap(), b"Hi");
        assert_eq!(file_bytes("!"), None);
    }
}
