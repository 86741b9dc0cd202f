//! Where pictures are, and how many.

use std::mem;

use super::results::says_nothing;
use crate::conversation::{Block, Conversation, ResultPart};
use crate::request::ImageLimits;
use crate::request::diagnostic::{Diagnostic, LostImage};

/// Pictures in a result move beside it, in their order, and the result says so if it says nothing else.
///
/// Source: one gateway saw them vanish otherwise, October 2026.
pub(in crate::request) fn lifted_images(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let is_image = |part: &ResultPart| matches!(part, ResultPart::Image(_));
    let holds_images = |block: &Block| matches!(block, Block::ToolResult(result) if result.content.iter().any(is_image));
    for turn in &mut conversation.turns {
        if !turn.blocks.iter().any(holds_images) {
            continue;
        }
        for block in mem::take(&mut turn.blocks) {
            let Block::ToolResult(mut result) = block else {
                turn.blocks.push(block);
                continue;
            };
            let (images, mut rest): (Vec<_>, Vec<_>) =
                result.content.into_iter().partition(is_image);
            if !images.is_empty() {
                found.push(Diagnostic::ImagesLifted {
                    id: result.id.clone(),
                    images: images.len(),
                });
                if rest.iter().all(says_nothing) {
                    rest = vec![ResultPart::Text(
                        "The image is attached to this message.".into(),
                    )];
                }
            }
            result.content = rest;
            turn.blocks.push(Block::ToolResult(result));
            turn.blocks
                .extend(images.into_iter().filter_map(|part| match part {
                    ResultPart::Image(image) => Some(Block::Image(image)),
                    ResultPart::Text(_) => None,
                }));
        }
    }
    found
}

/// Pictures that are too large, and the oldest when there are too many, are replaced by words.
///
/// Source: the reasons `IMAGE_SIZE_…` and `IMAGE_COUNT_…` in the official SDK; for the limits see
/// [`ImageLimits`].
pub(in crate::request) fn image_limits(
    conversation: &mut Conversation,
    limits: ImageLimits,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut left = limits.count;
    for (turn, said) in conversation.turns.iter_mut().enumerate().rev() {
        for block in said.blocks.iter_mut().rev() {
            let Block::Image(image) = block else {
                continue;
            };
            let (why, words) = if image.size() > limits.bytes {
                let bytes = image.size();
                (
                    LostImage::TooLarge { bytes },
                    "(An image is left out here: it is too large.)",
                )
            } else if left == 0 {
                (LostImage::TooMany, "(An image is left out here.)")
            } else {
                left -= 1;
                continue;
            };
            *block = Block::Text(words.into());
            found.push(Diagnostic::ImageReplaced { turn, why });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::transcript::{assert_becomes, assert_stays};
    use super::*;

    #[test]
    fn images_are_lifted_in_their_order() {
        let found = assert_becomes(
            lifted_images,
            "user: image png | result t1 image gif | result t2 a + image png + b + image gif | Look.",
            "user: image png | result t1 The image is attached to this message. | image gif | result t2 a + b | image png | image gif | Look.",
        );
        let lifted = |id: &str, images| Diagnostic::ImagesLifted {
            id: id.to_owned(),
            images,
        };
        assert_eq!(found, [lifted("t1", 1), lifted("t2", 2)]);
        assert_stays(lifted_images, "user: result t1 text | image png");
    }

    #[test]
    fn the_newest_images_of_bearable_size_are_kept() {
        let before = "user: image png | One.
                      assistant: Ok.
                      user: image gif | image png | image gif";
        let limit = |count, bytes| move |c: &mut _| image_limits(c, ImageLimits { count, bytes });
        assert_stays(limit(4, 8), before);
        let found = assert_becomes(
            limit(2, 8),
            before,
            "user: (An image is left out here.) | One.
             assistant: Ok.
             user: (An image is left out here.) | image png | image gif",
        );
        let gone = |turn| Diagnostic::ImageReplaced {
            turn,
            why: LostImage::TooMany,
        };
        assert_eq!(found, [gone(2), gone(0)]);
        assert_becomes(
            limit(2, 6),
            before,
            "user: (An image is left out here: it is too large.) | One.
             assistant: Ok.
             user: image gif | (An image is left out here: it is too large.) | image gif",
        );
    }
}
