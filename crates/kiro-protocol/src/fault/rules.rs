//! The table of refusals: which words of the service mean what.
//!
//! One [`Row`] per refusal, numbered as in `docs/kiro-protocol.md`. A row lists the evidence that points to
//! it. All evidence of an answer is weighed together and the most specific wins:
//!
//! 1. a `reason` together with an exact message, for the one reason that covers several refusals;
//! 2. a `reason`, then the beginning of one;
//! 3. an exact message at a status where it is known: it tells apart what one exception lumps together;
//! 4. the name of an exception;
//! 5. a status alone.
//!
//! Messages never count against a reason, and never at another status: wording changes often, and a
//! message can repeat what the caller wrote.
//!
//! Sources: reasons and exceptions are modelled by the service (certain); messages and what they mean come
//! from the official clients (E1, E21, E25, E27, E30) and from several gateways' issue threads (likely),
//! October 2026.

use super::FaultKind;

/// What an answer says.
pub(super) struct Evidence<'a> {
    pub(super) status: Option<u16>,
    pub(super) name: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) message: &'a str,
}

struct Row {
    /// As in the table of refusals in `docs/kiro-protocol.md`.
    number: u8,
    kind: FaultKind,
    signs: &'static [Sign],
}

/// Something that points to a row, from the most specific to the least.
enum Sign {
    ReasonAndMessage(&'static str, Text),
    Reason(&'static str),
    /// A reason that begins and goes on with these words.
    ReasonParts(&'static str, &'static str),
    ReasonPrefix(&'static str),
    /// At these statuses, or at any if none is listed.
    Message(&'static [u16], Text),
    Name(&'static str),
    Status(u16),
}

/// Compared without case, without spaces around and without the final full stop.
enum Text {
    Is(&'static str),
    Contains(&'static str),
}

use FaultKind as K;
use Sign::{Message, Name, Reason, ReasonAndMessage, ReasonParts, ReasonPrefix, Status};
use Text::{Contains, Is};

/// The kind, and the row that says so. The most specific sign decides; of two equally specific ones, that
/// of the earlier row.
pub(super) fn classify(evidence: &Evidence<'_>) -> (FaultKind, Option<u8>) {
    let signs = ROWS
        .iter()
        .flat_map(|row| row.signs.iter().map(move |sign| (sign, row)));
    let matching = signs.filter(|(sign, _)| sign.matches(evidence));
    match matching.min_by_key(|(sign, _)| sign.rank()) {
        Some((_, row)) => (row.kind, Some(row.number)),
        None if matches!(evidence.status, Some(500..)) => (K::Internal, Some(29)),
        None => (K::Other, None),
    }
}

impl Sign {
    fn rank(&self) -> u8 {
        match self {
            ReasonAndMessage(..) => 1,
            Reason(_) => 2,
            ReasonParts(..) => 3,
            ReasonPrefix(_) => 4,
            Message(..) => 5,
            Name(_) => 6,
            Status(_) => 7,
        }
    }

    fn matches(&self, evidence: &Evidence<'_>) -> bool {
        let is = |said: Option<&str>, word: &str| {
            said.is_some_and(|said| said.eq_ignore_ascii_case(word))
        };
        match self {
            ReasonAndMessage(reason, text) => {
                is(evidence.reason, reason) && text.matches(evidence.message)
            }
            Reason(reason) => is(evidence.reason, reason),
            ReasonParts(prefix, part) => evidence.reason.is_some_and(|said| {
                said.strip_prefix(prefix)
                    .is_some_and(|rest| rest.contains(part))
            }),
            ReasonPrefix(prefix) => evidence.reason.is_some_and(|said| said.starts_with(prefix)),
            Message(statuses, text) => {
                let at_home = statuses.is_empty()
                    || evidence
                        .usual_status()
                        .is_some_and(|status| statuses.contains(&status));
                at_home && text.matches(evidence.message)
            }
            Name(name) => is(evidence.name, name),
            Status(status) => evidence.status == Some(*status),
        }
    }
}

impl Text {
    fn matches(&self, message: &str) -> bool {
        let said = plain(message);
        match self {
            Is(text) => said == plain(text),
            Contains(text) => said.contains(&plain(text)),
        }
    }
}

fn plain(text: &str) -> String {
    text.trim().trim_end_matches('.').to_ascii_lowercase()
}

impl Evidence<'_> {
    /// The status, or inside a stream the status that the exception would have had before it.
    fn usual_status(&self) -> Option<u16> {
        let by_name = || {
            let name = self.name?;
            let mut usual = USUAL_STATUS.iter();
            let found = usual.find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, status)| *status)
        };
        self.status.or_else(by_name)
    }
}

const USUAL_STATUS: &[(&str, u16)] = &[
    ("validationError", 400),
    ("ValidationException", 400),
    ("ServiceQuotaExceededException", 402),
    ("AccessDeniedException", 403),
    ("accessDeniedError", 403),
    ("throttlingError", 429),
    ("ThrottlingException", 429),
    ("error", 500),
    ("InternalServerException", 500),
    ("serviceUnavailableError", 503),
    ("ServiceUnavailableException", 503),
];

const ROWS: &[Row] = &[
    Row {
        number: 1,
        kind: K::ContextTooLong,
        signs: &[
            Reason("CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
            Reason("PROMPT_TOO_LONG"),
            Message(&[400], Is("Input is too long")),
            Message(&[400], Is("Prompt is too long")),
        ],
    },
    Row {
        number: 2,
        kind: K::UnknownModel,
        signs: &[
            Reason("INVALID_MODEL_ID"),
            Message(
                &[400],
                Is("Invalid model. Please select a different model to continue"),
            ),
            Message(&[400], Contains("Invalid model ID")),
        ],
    },
    Row {
        number: 3,
        kind: K::InvalidRequest,
        signs: &[
            Reason("REQUEST_BODY_INVALID"),
            Reason("REQUEST_BODY_INVALID_JSON"),
            Reason("UNSUPPORTED_LANGUAGE"),
            Message(&[400], Is("Improperly formed request")),
            Name("ValidationException"),
            Name("validationError"),
            Status(400),
        ],
    },
    Row {
        number: 4,
        kind: K::ToolFormat,
        signs: &[
            ReasonAndMessage("REQUEST_BODY_INVALID", Is("Invalid tool use format")),
            Message(&[400], Is("Invalid tool use format")),
        ],
    },
    // Also seen with a status of the 500s.
    Row {
        number: 5,
        kind: K::ToolResultMismatch,
        signs: &[
            Reason("TOOL_USE_RESULT_MISMATCH"),
            Message(
                &[],
                Contains("`tool_use` ids were found without `tool_result` blocks"),
            ),
            Message(&[], Contains("Expected toolResult blocks")),
        ],
    },
    Row {
        number: 6,
        kind: K::ThinkingSignature,
        signs: &[
            Reason("THINKING_SIGNATURE_INVALID"),
            Message(&[400], Contains("Invalid `signature` in `thinking` block")),
        ],
    },
    Row {
        number: 7,
        kind: K::InvalidTool,
        signs: &[
            Reason("TOOL_DUPLICATE"),
            Reason("TOOL_SCHEMA_INVALID"),
            Reason("TOOL_CONFIG_MISSING"),
        ],
    },
    Row {
        number: 8,
        kind: K::InvalidAttachment,
        signs: &[
            ReasonPrefix("IMAGE_"),
            ReasonPrefix("DOCUMENT_"),
            Reason("INVALID_DOCUMENT_NAME"),
            Reason("DISALLOWED_FILE_TYPE"),
        ],
    },
    // The prefixes are modelled; that the rest says so when it is about size is a guess.
    Row {
        number: 8,
        kind: K::AttachmentTooLarge,
        signs: &[
            ReasonParts("IMAGE_", "SIZE"),
            ReasonParts("IMAGE_", "LARGE"),
            ReasonParts("DOCUMENT_", "SIZE"),
            ReasonParts("DOCUMENT_", "LARGE"),
        ],
    },
    Row {
        number: 9,
        kind: K::ProfileRequired,
        signs: &[Message(
            &[400],
            Is("profileArn is required for this request"),
        )],
    },
    Row {
        number: 10,
        kind: K::WrongCredentialShape,
        signs: &[Message(&[400], Is("The provided credential is invalid"))],
    },
    Row {
        number: 11,
        kind: K::TokenRejected,
        signs: &[Message(&[400, 403], Is("Invalid token"))],
    },
    Row {
        number: 12,
        kind: K::MonthlyQuota,
        signs: &[
            Reason("MONTHLY_REQUEST_COUNT"),
            Message(&[402], Is("You have reached the limit")),
            Name("ServiceQuotaExceededException"),
            Status(402),
        ],
    },
    Row {
        number: 13,
        kind: K::OverageQuota,
        signs: &[
            Reason("OVERAGE_REQUEST_LIMIT_EXCEEDED"),
            Message(&[402], Contains("limit for overages")),
        ],
    },
    Row {
        number: 14,
        kind: K::ConversationRejected,
        signs: &[
            Reason("CONVERSATION_LIMIT_EXCEEDED"),
            Reason("INVALID_CONVERSATION_ID"),
        ],
    },
    Row {
        number: 15,
        kind: K::TokenRejected,
        signs: &[Status(401)],
    },
    Row {
        number: 16,
        kind: K::TokenRejected,
        signs: &[Message(
            &[400, 403],
            Contains("bearer token included in the request is invalid"),
        )],
    },
    Row {
        number: 17,
        kind: K::AccessDenied,
        signs: &[
            ReasonPrefix("UNAUTHORIZED_"),
            Message(&[403], Is("User is not authorized to make this call")),
        ],
    },
    Row {
        number: 18,
        kind: K::Suspended,
        signs: &[
            Reason("TEMPORARILY_SUSPENDED"),
            Message(&[403, 423], Contains("temporarily is suspended")),
            Message(&[403, 423], Contains("unusual user activity")),
            Status(423),
        ],
    },
    Row {
        number: 19,
        kind: K::FeatureNotSupported,
        signs: &[Reason("FEATURE_NOT_SUPPORTED")],
    },
    Row {
        number: 20,
        kind: K::Forbidden,
        signs: &[Name("AccessDeniedException"), Status(403)],
    },
    Row {
        number: 21,
        kind: K::Capacity,
        signs: &[
            Reason("INSUFFICIENT_MODEL_CAPACITY"),
            Message(
                &[429, 500, 503],
                Is("I am experiencing high traffic, please try again shortly"),
            ),
        ],
    },
    Row {
        number: 22,
        kind: K::Throttled,
        signs: &[
            Reason("USER_REQUEST_RATE_EXCEEDED"),
            Reason("SERVICE_REQUEST_RATE_EXCEEDED"),
            Message(&[429], Contains("Too many requests, please wait")),
        ],
    },
    Row {
        number: 23,
        kind: K::SpendingTooFast,
        signs: &[Reason("CREDIT_CONSUMPTION_RATE_EXCEEDED")],
    },
    Row {
        number: 24,
        kind: K::DailyQuota,
        signs: &[Reason("DAILY_REQUEST_COUNT")],
    },
    // The reason is that of row 12.
    Row {
        number: 25,
        kind: K::MonthlyQuota,
        signs: &[Message(
            &[429],
            Is("Maximum Request reached for this month"),
        )],
    },
    Row {
        number: 26,
        kind: K::Throttled,
        signs: &[
            Name("ThrottlingException"),
            Name("throttlingError"),
            Status(429),
        ],
    },
    Row {
        number: 27,
        kind: K::Capacity,
        signs: &[Message(
            &[500],
            Is("Encountered unexpectedly high load when processing the request, please try again"),
        )],
    },
    Row {
        number: 28,
        kind: K::Capacity,
        signs: &[Reason("MODEL_TEMPORARILY_UNAVAILABLE")],
    },
    // Also every other status of the 500s, see `classify`.
    Row {
        number: 29,
        kind: K::Internal,
        signs: &[
            Name("InternalServerException"),
            Name("error"),
            Status(500),
            Status(502),
            Status(504),
        ],
    },
    Row {
        number: 30,
        kind: K::Capacity,
        signs: &[
            Name("ServiceUnavailableException"),
            Name("serviceUnavailableError"),
            Status(503),
        ],
    },
    Row {
        number: 31,
        kind: K::UnknownOperation,
        signs: &[Name("UnknownOperationException"), Status(404), Status(405)],
    },
    Row {
        number: 32,
        kind: K::Timeout,
        signs: &[Status(408)],
    },
    Row {
        number: 33,
        kind: K::TooLarge,
        signs: &[
            Message(
                &[400, 413, 500],
                Contains("Failed to buffer the request body: length limit exceeded"),
            ),
            Status(413),
        ],
    },
    Row {
        number: 34,
        kind: K::OutputLimit,
        signs: &[Name("ContentLengthExceededException")],
    },
    Row {
        number: 35,
        kind: K::EncryptionKey,
        signs: &[
            ReasonPrefix("CUSTOMER_KMS_KEY_"),
            Reason("MISMATCHED_KMS_KEY"),
            Reason("INVALID_KMS_GRANT"),
        ],
    },
    Row {
        number: 36,
        kind: K::NotFound,
        signs: &[Name("ResourceNotFoundException")],
    },
];

/// The number of the last row. They are in order.
pub(super) const LAST_ROW: u8 = ROWS[ROWS.len() - 1].number;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_missing_and_no_sign_points_to_two() {
        let mut numbers: Vec<_> = ROWS.iter().map(|row| row.number).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=LAST_ROW).collect::<Vec<_>>());

        let mut words = Vec::new();
        for sign in ROWS.iter().flat_map(|row| row.signs) {
            match sign {
                Reason(word) | Name(word) => words.push((*word).to_owned()),
                Status(status) => words.push(status.to_string()),
                _ => {}
            }
        }
        let count = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), count);
    }
    #[test]
    fn the_document_has_the_same_rows() {
        let page = include_str!("../../../../docs/kiro-protocol.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| E"));
        let numbers = rows.map(|row| row.split(' ').next().unwrap_or_default().parse());
        let numbers: Result<Vec<u8>, _> = numbers.collect();
        assert_eq!(numbers, Ok((1..=LAST_ROW).collect()));
    }
}
