//! Pictures that are larger than the service takes, made smaller.

use std::io::Cursor;
use std::sync::Arc;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::{DynamicImage, ImageDecoder as _, ImageFormat as Codec, ImageReader};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_protocol::conversation::{Block, Conversation, Image, ImageFormat, ResultPart};
use tokio::sync::Semaphore;

use crate::error::{Error, ErrorKind};

/// Largest picture that is left alone, in bytes.
///
/// Source: what the official language server sends at most, October 2026; the official CLI sends 10 MB.
const MAX_BYTES: usize = 3_750_000;

/// Longest side of a picture that is left alone, in pixels.
///
/// Source: the official language server, October 2026.
const MAX_SIDE: u32 = 8_000;

/// Longest side of a picture that was made smaller. Claude looks no closer than this.
const SIDE: u32 = 1_568;

/// Most memory for the pixels of one picture: a picture of a few kilobytes may claim to have any number.
const MAX_PIXEL_BYTES: u64 = 200 << 20;

/// Pictures that are worked on at the same time, which bounds memory.
const MAX_AT_ONCE: usize = 2;

const JPEG_QUALITY: u8 = 85;

/// Makes pictures smaller, on threads for long work.
#[derive(Debug)]
pub(super) struct Scaler {
    permits: Arc<Semaphore>,
}

impl Scaler {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        }
    }

    /// The conversation with its pictures made smaller. What is being worked on when the future is dropped
    /// is finished for nothing.
    pub(super) async fn fit(&self, mut conversation: Conversation) -> Result<Conversation, Error> {
        if images(&mut conversation).next().is_none() {
            return Ok(conversation);
        }
        let permit = self.permits.clone().acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            for image in images(&mut conversation) {
                if let Some(smaller) = smaller(image, MAX_PIXEL_BYTES) {
                    *image = smaller;
                }
            }
            drop(permit);
            conversation
        });
        work.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "An image could not be made smaller.")
                .with_source(error)
        })
    }
}

/// All pictures of a conversation.
fn images(conversation: &mut Conversation) -> impl Iterator<Item = &mut Image> {
    let blocks = conversation
        .turns
        .iter_mut()
        .flat_map(|turn| &mut turn.blocks);
    blocks.flat_map(|block| match block {
        Block::Image(image) => vec![image],
        Block::ToolResult(result) => {
            let images = result.content.iter_mut().filter_map(|part| match part {
                ResultPart::Image(image) => Some(image),
                ResultPart::Text(_) => None,
            });
            images.collect()
        }
        Block::Text(_) | Block::ToolUse(_) | Block::Reasoning(_) => Vec::new(),
    })
}

/// A smaller one, if the picture is too large and its pixels take no more than so many bytes.
fn smaller(image: &Image, max_pixel_bytes: u64) -> Option<Image> {
    let bytes = STANDARD.decode(image.base64()).ok()?;
    let codec = match image.format() {
        ImageFormat::Png => Codec::Png,
        ImageFormat::Jpeg => Codec::Jpeg,
        ImageFormat::Gif => Codec::Gif,
        ImageFormat::Webp => Codec::WebP,
    };
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), codec);
    let mut limits = ::image::Limits::default();
    limits.max_alloc = Some(max_pixel_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let is_large = bytes.len() > MAX_BYTES || width.max(height) > MAX_SIDE;
    if !is_large || decoder.total_bytes() > max_pixel_bytes {
        return None;
    }
    let orientation = decoder.orientation().ok();
    let mut pixels = DynamicImage::from_decoder(decoder).ok()?;
    if width.max(height) > SIDE {
        // Averages, which is what is wanted of a much smaller picture, and needs no memory besides.
        pixels = pixels.thumbnail(SIDE, SIDE);
    }
    if let Some(orientation) = orientation {
        pixels.apply_orientation(orientation);
    }
    Image::from_bytes(&encode(&pixels)?).ok()
}

/// PNG if something shines through, as long as that is small enough; else JPEG.
fn encode(pixels: &DynamicImage) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if pixels.color().has_alpha() {
        let pixels = DynamicImage::from(pixels.to_rgba8());
        pixels
            .write_to(&mut Cursor::new(&mut bytes), Codec::Png)
            .ok()?;
        if bytes.len() <= MAX_BYTES {
            return Some(bytes);
        }
        bytes.clear();
    }
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .encode_image(&pixels.to_rgb8())
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::codecs::png::{CompressionType, FilterType, PngEncoder};
    use ::image::{ColorType, ImageEncoder as _, RgbImage, RgbaImage};
    use kiro_protocol::conversation::{Role, ToolResult, Turn};

    fn png(pixels: &DynamicImage) -> Image {
        let mut bytes = Vec::new();
        let (quick, plain) = (CompressionType::Uncompressed, FilterType::NoFilter);
        let encoder = PngEncoder::new_with_quality(&mut bytes, quick, plain);
        pixels.write_with_encoder(encoder).unwrap();
        Image::from_bytes(&bytes).unwrap()
    }

    fn smaller(image: &Image) -> Option<Image> {
        super::smaller(image, MAX_PIXEL_BYTES)
    }

    fn size(image: &Image) -> (u32, u32) {
        let bytes = STANDARD.decode(image.base64()).unwrap();
        let pixels = ::image::load_from_memory(&bytes).unwrap();
        (pixels.width(), pixels.height())
    }

    #[test]
    fn a_picture_of_too_many_bytes_becomes_one_that_is_taken() {
        let large = png(&RgbImage::new(1_600, 800).into());
        assert!(large.size() > MAX_BYTES);
        let small = smaller(&large).unwrap();
        assert!(small.size() <= MAX_BYTES);
        assert_eq!(small.format(), ImageFormat::Jpeg);
        assert_eq!(size(&small), (1_568, 784));
    }

    #[test]
    fn a_picture_of_too_many_pixels_becomes_one_that_is_taken() {
        let wide = png(&RgbImage::new(8_001, 10).into());
        assert_eq!(size(&smaller(&wide).unwrap()), (1_568, 2));
        assert_eq!(smaller(&png(&RgbImage::new(8_000, 10).into())), None);
    }

    #[test]
    fn what_shines_through_does_so_afterwards() {
        let clear = png(&RgbaImage::new(8_001, 8).into());
        assert_eq!(smaller(&clear).unwrap().format(), ImageFormat::Png);
    }

    #[test]
    fn a_picture_taken_with_a_turned_camera_stays_upright() {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        // One entry: the orientation, turned by a right angle.
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        let (width, height) = (8_004, 12);
        let pixels = RgbImage::new(width, height);
        encoder
            .write_image(pixels.as_raw(), width, height, ColorType::Rgb8.into())
            .unwrap();
        let upright = smaller(&Image::from_bytes(&bytes).unwrap()).unwrap();
        assert_eq!(size(&upright), (2, 1_568));
    }

    #[test]
    fn a_picture_of_more_pixels_than_memory_is_meant_for_stays_as_it_is() {
        let wide = png(&RgbImage::new(8_001, 10).into());
        let bytes = 8_001 * 10 * 3;
        assert!(super::smaller(&wide, bytes).is_some());
        assert_eq!(super::smaller(&wide, bytes - 1), None);
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_is() {
        assert_eq!(
            smaller(&Image::from_bytes(b"\x89PNG\r\n\x1a\n").unwrap()),
            None
        );
        let mut cut = STANDARD
            .decode(png(&RgbImage::new(1_600, 800).into()).base64())
            .unwrap();
        cut.truncate(MAX_BYTES + 1);
        assert_eq!(smaller(&Image::from_bytes(&cut).unwrap()), None);
    }

    #[tokio::test]
    async fn pictures_are_found_in_messages_and_in_results() {
        let wide = png(&RgbImage::new(8_001, 10).into());
        let result = ToolResult {
            id: "a".into(),
            content: vec![
                ResultPart::Text("see".into()),
                ResultPart::Image(wide.clone()),
            ],
            is_error: false,
        };
        let blocks = [
            Block::ToolResult(result),
            Block::Text("and".into()),
            Block::Image(wide.clone()),
        ];
        let mut conversation = Conversation::new("auto");
        conversation.turns.push(Turn::new(Role::User, blocks));
        let mut fitted = Scaler::new().fit(conversation).await.unwrap();
        let sizes: Vec<_> = images(&mut fitted).map(|image| size(image)).collect();
        assert_eq!(sizes, [(1_568, 2), (1_568, 2)]);
    }
}
