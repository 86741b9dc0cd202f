//! What Kiro insists on, one function per rule.
//!
//! A rule takes the conversation as the rules before it left it, repairs it in place and returns what it
//! changed. The order matters: results are matched to uses only after neighbours are merged, otherwise
//! the second of two result messages in a row would look as if it answered nothing.
//!
//! | Rule | The service wants | If not | In kiro-sim |
//! |---|---|---|---|
//! | [`speakers`] | user messages hold text, pictures and results; assistant messages text, uses and thoughts | 400 | –: the service skips what it does not know |
//! | [`thoughts`] | thoughts come back signed and as they were | 400 `THINKING_SIGNATURE_INVALID` | `H13` |
//! | [`blanks`] | texts that say something | 400 | `S9` |
//! | [`system_alone`] | a current message | 400 | `S1` |
//! | [`neighbours`] | user and assistant alternate | 400 | `H3` |
//! | [`one_thought`] | one piece of thoughts per message | it has one place | –: the body has no place for more |
//! | [`names`] | unique legal tool names | 400 `TOOL_DUPLICATE` | `T1`, `T2` |
//! | [`stubs`] | every tool that was used is declared | 400 | `H8` |
//! | [`descriptions`] | tools have a description of at most 9,216 bytes | 400 | `T3` |
//! | [`schemas`] | plain object schemas | 400 | `T4` to `T8` |
//! | [`opening`] | the user speaks first | 400 | `H2` |
//! | [`current`] | the user speaks last | 400 | `H4` |
//! | [`lifted_images`] | pictures beside the results, not in them | they vanish | –: the service drops them |
//! | [`image_limits`] | not too many pictures, none too large | 400 `IMAGE_COUNT_…`, `IMAGE_SIZE_…` | `I4` |
//! | [`result_texts`] | results with content | 400 | `T10` |
//! | [`pairs`] | results that answer the message before, each use once, unique legal ids | 400 `TOOL_USE_RESULT_MISMATCH` | `H5` to `H7`, `T9` |
//!
//! The last column is what refuses a breach in `kiro_sim::validate`. Where it has a dash, other tests find the rule missing:
//! all that is said, and all that is prepared, has a place in the body. A conversation id that is not legal, which
//! [`prepare`](super::prepare()) replaces itself, is `S4` there.
//!
//! Most refusals say only "Improperly formed request." What holds in the spelling of one profile but not
//! of another, such as placeholders for empty texts, is left to the writer of the body, and so are empty
//! lists and missing values.
//!
//! No number of messages, tools or bytes of text is refused here: the limits that people report
//! contradict each other, and the service's own answer tells the client more.

mod images;
mod results;
mod tools;
#[cfg(test)]
mod transcript;
mod turns;

pub(super) use images::{image_limits, lifted_images};
pub(super) use results::{pairs, result_texts};
pub(super) use tools::{descriptions, names, schemas, stubs};
pub(super) use turns::{
    blanks, current, neighbours, one_thought, opening, speakers, system_alone, thoughts,
};
