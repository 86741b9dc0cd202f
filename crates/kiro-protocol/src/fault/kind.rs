//! What a fault means for whoever decides.

/// What the service refused, and why.
///
/// The numbers with an E are those of the rows of the table of refusals in `docs/kiro-protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// E1: the conversation does not fit into the model's context window.
    ContextTooLong,
    /// E2: no such model, or not in the plan of this credential, or not in this country.
    UnknownModel,
    /// E3: the body breaks one of the service's rules about shape.
    InvalidRequest,
    /// E4: a tool's name, id or schema, or tools in the history that are not declared.
    ToolFormat,
    /// E5: a tool use without its result, or a result without its use.
    ToolResultMismatch,
    /// E6: thoughts in the history were changed, or signed for another model.
    ThinkingSignature,
    /// E7: a tool is declared twice, or its schema is refused.
    InvalidTool,
    /// E8: a picture or document is refused.
    InvalidAttachment,
    /// E8: a picture or document is too large.
    AttachmentTooLarge,
    /// E9: this host wants the ARN of a profile.
    ProfileRequired,
    /// E10: this kind of credential does not belong to this target or origin.
    WrongCredentialShape,
    /// E11, E15, E16: the access token is expired, revoked or not labelled with its type.
    TokenRejected,
    /// E12, E25: the plan's monthly quota is used up.
    MonthlyQuota,
    /// E13: the cap on overage is reached.
    OverageQuota,
    /// E14: the service refuses this conversation id, for example because the conversation is too long.
    ConversationRejected,
    /// E17: the credential may not make this call, often because of the profile.
    AccessDenied,
    /// E18: the account is suspended or locked.
    Suspended,
    /// E19: the plan does not include this.
    FeatureNotSupported,
    /// E20: refused for a reason that is not given; also an edge that answers with a page.
    Forbidden,
    /// E21, E27, E28, E30: the model or the service is overloaded or down. Not the account's fault.
    Capacity,
    /// E22, E26: too many requests.
    Throttled,
    /// E23: credits are spent too fast.
    SpendingTooFast,
    /// E24: the day's quota is used up.
    DailyQuota,
    /// E29: something broke in the service.
    Internal,
    /// E31: the host does not know this path or target.
    UnknownOperation,
    /// E32: the service gave up waiting for the request.
    Timeout,
    /// E33: the body is too large.
    TooLarge,
    /// E34, inside a stream only: the output or the context reached its limit, and the reply ends here.
    OutputLimit,
    /// E35: the customer-managed key of the profile is missing, disabled or not granted.
    EncryptionKey,
    /// E36: a thing that the request names, such as a profile, does not exist.
    NotFound,
    /// Nothing that is known.
    Other,
}

/// Who can do something about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The caller: the request is refused whoever sends it.
    Caller,
    /// The credential: another one may succeed.
    Credential,
    /// We: host, wire profile or profile ARN do not fit the credential.
    Setup,
    /// The service.
    Service,
}

/// What to change before one more attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Get a new access token.
    RefreshToken,
    /// Declare stubs for undeclared tools and strip the schemas.
    SimplifyTools,
    /// Pair every tool use with its result again.
    PairToolResults,
    /// Leave thoughts out of the history.
    DropReasoning,
    /// Use a new conversation id.
    NewConversation,
    /// Ask the service for the profiles of the credential and send the right ARN.
    FindProfile,
    /// Send the request in another wire profile, for example to the legacy host.
    OtherWireProfile,
}

impl FaultKind {
    /// Every kind, in the order of the table.
    pub const ALL: &[Self] = &[
        Self::ContextTooLong,
        Self::UnknownModel,
        Self::InvalidRequest,
        Self::ToolFormat,
        Self::ToolResultMismatch,
        Self::ThinkingSignature,
        Self::InvalidTool,
        Self::InvalidAttachment,
        Self::AttachmentTooLarge,
        Self::ProfileRequired,
        Self::WrongCredentialShape,
        Self::TokenRejected,
        Self::MonthlyQuota,
        Self::OverageQuota,
        Self::ConversationRejected,
        Self::AccessDenied,
        Self::Suspended,
        Self::FeatureNotSupported,
        Self::Forbidden,
        Self::Capacity,
        Self::Throttled,
        Self::SpendingTooFast,
        Self::DailyQuota,
        Self::Internal,
        Self::UnknownOperation,
        Self::Timeout,
        Self::TooLarge,
        Self::OutputLimit,
        Self::EncryptionKey,
        Self::NotFound,
        Self::Other,
    ];

    /// A short name in snake case, for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContextTooLong => "context_too_long",
            Self::UnknownModel => "unknown_model",
            Self::InvalidRequest => "invalid_request",
            Self::ToolFormat => "tool_format",
            Self::ToolResultMismatch => "tool_result_mismatch",
            Self::ThinkingSignature => "thinking_signature",
            Self::InvalidTool => "invalid_tool",
            Self::InvalidAttachment => "invalid_attachment",
            Self::AttachmentTooLarge => "attachment_too_large",
            Self::ProfileRequired => "profile_required",
            Self::WrongCredentialShape => "wrong_credential_shape",
            Self::TokenRejected => "token_rejected",
            Self::MonthlyQuota => "monthly_quota",
            Self::OverageQuota => "overage_quota",
            Self::ConversationRejected => "conversation_rejected",
            Self::AccessDenied => "access_denied",
            Self::Suspended => "suspended",
            Self::FeatureNotSupported => "feature_not_supported",
            Self::Forbidden => "forbidden",
            Self::Capacity => "capacity",
            Self::Throttled => "throttled",
            Self::SpendingTooFast => "spending_too_fast",
            Self::DailyQuota => "daily_quota",
            Self::Internal => "internal",
            Self::UnknownOperation => "unknown_operation",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::OutputLimit => "output_limit",
            Self::EncryptionKey => "encryption_key",
            Self::NotFound => "not_found",
            Self::Other => "other",
        }
    }

    /// Who can do something about it.
    pub fn blame(self) -> Blame {
        match self {
            Self::ContextTooLong
            | Self::UnknownModel
            | Self::InvalidRequest
            | Self::ToolFormat
            | Self::ToolResultMismatch
            | Self::ThinkingSignature
            | Self::InvalidTool
            | Self::InvalidAttachment
            | Self::AttachmentTooLarge
            | Self::ConversationRejected
            | Self::TooLarge => Blame::Caller,
            Self::TokenRejected
            | Self::MonthlyQuota
            | Self::OverageQuota
            | Self::DailyQuota
            | Self::AccessDenied
            | Self::Suspended
            | Self::FeatureNotSupported
            | Self::Forbidden
            | Self::Throttled
            | Self::SpendingTooFast
            | Self::EncryptionKey
            | Self::NotFound => Blame::Credential,
            Self::ProfileRequired | Self::WrongCredentialShape | Self::UnknownOperation => {
                Blame::Setup
            }
            Self::Capacity | Self::Internal | Self::Timeout | Self::OutputLimit | Self::Other => {
                Blame::Service
            }
        }
    }

    /// Whether the same request may be tried again with the same credential after a pause.
    ///
    /// `SpendingTooFast` is not among them: the service asks for five minutes, longer than any
    /// request can wait.
    pub fn may_retry_same(self) -> bool {
        matches!(
            self,
            Self::Capacity | Self::Throttled | Self::Internal | Self::Timeout
        )
    }

    /// Whether the same request may succeed with another credential.
    ///
    /// `Capacity` is not among them: all credentials share the model. `UnknownModel` is, because
    /// plans differ.
    pub fn may_fail_over(self) -> bool {
        match self {
            Self::UnknownModel | Self::WrongCredentialShape | Self::Internal => true,
            Self::FeatureNotSupported => false,
            other => other.blame() == Blame::Credential,
        }
    }

    /// What to change before one more attempt, when there is something.
    pub fn repair(self) -> Option<Repair> {
        match self {
            Self::TokenRejected => Some(Repair::RefreshToken),
            Self::ToolFormat => Some(Repair::SimplifyTools),
            Self::ToolResultMismatch => Some(Repair::PairToolResults),
            Self::ThinkingSignature => Some(Repair::DropReasoning),
            Self::ConversationRejected => Some(Repair::NewConversation),
            Self::ProfileRequired | Self::AccessDenied => Some(Repair::FindProfile),
            Self::WrongCredentialShape | Self::UnknownOperation => Some(Repair::OtherWireProfile),
            _ => None,
        }
    }

    /// Whether a quota is used up, so that the credential rests until a date and not for a while.
    pub fn is_quota(self) -> bool {
        matches!(
            self,
            Self::MonthlyQuota | Self::OverageQuota | Self::DailyQuota
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_in_the_list() {
        let source = include_str!("kind.rs");
        let (_, rest) = source.split_once("pub enum FaultKind {").unwrap();
        let (variants, _) = rest.split_once("\n}").unwrap();
        let declared: Vec<&str> = variants
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|line| line.chars().all(char::is_alphanumeric))
            .collect();
        let listed = FaultKind::ALL.iter().map(|kind| format!("{kind:?}"));
        assert_eq!(listed.collect::<Vec<_>>(), declared);
    }
}
