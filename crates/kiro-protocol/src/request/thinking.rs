//! What a model takes besides the conversation, and how a wish for effort is told to it.

use serde_json::Value;

use crate::conversation::{Effort, Sampling};

/// Knobs that a model takes.
///
/// The service publishes them per model in its catalogue, and refuses what a model does not list with a
/// 400. The default sends none, which is always legal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How the model is told to think.
    pub thinking: Thinking,
    /// Whether the model takes `max_tokens`.
    pub max_tokens: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thinking {
    /// It cannot be told.
    #[default]
    None,
    /// `{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}}`, and
    /// `{"thinking":{"type":"disabled"}}` for [`Effort::None`].
    ClaudeEffort {
        /// The efforts that the model takes; [`Effort::None`] when thinking can be disabled.
        allowed: Efforts,
    },
    /// `{"reasoning":{"effort":"high"}}`
    GptEffort {
        /// The efforts that the model takes.
        allowed: Efforts,
    },
    /// By tags at the start of the system prompt, which make the model write its thoughts between
    /// `<thinking>` and `</thinking>` in its text.
    ///
    /// Source: several gateways agree, for models up to 4.5 and open-weight models (October 2026).
    Tags,
}

/// A set of efforts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Efforts(u8);

const ORDERED: [Effort; 6] = [
    Effort::None,
    Effort::Low,
    Effort::Medium,
    Effort::High,
    Effort::ExtraHigh,
    Effort::Max,
];

impl Efforts {
    /// The set of these efforts.
    pub fn new(efforts: impl IntoIterator<Item = Effort>) -> Self {
        let bits = efforts.into_iter().fold(0, |bits, e| bits | 1 << (e as u8));
        Self(bits)
    }

    /// Whether the effort is in the set.
    pub fn contains(self, effort: Effort) -> bool {
        self.0 & (1 << (effort as u8)) != 0
    }

    /// The effort in the set that is nearest to the one asked for; the greater of two equally near, so
    /// that `xhigh` becomes `max` where it is missing. `None` is only chosen when it was asked for or
    /// nothing else is left.
    pub fn nearest(self, asked: Effort) -> Option<Effort> {
        if self.contains(asked) {
            return Some(asked);
        }
        let distance = |effort: Effort| (effort as i8 - asked as i8).abs();
        let some = ORDERED[1..].iter().copied().filter(|e| self.contains(*e));
        some.rev()
            .min_by_key(|effort| distance(*effort))
            .or(self.contains(Effort::None).then_some(Effort::None))
    }
}

impl Effort {
    /// The name on the wire, and in the APIs that we speak.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::ExtraHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        ORDERED.into_iter().find(|effort| effort.as_str() == name)
    }
}

impl Capabilities {
    /// Reads the catalogue's `additionalModelRequestFieldsSchema` of a model. Members that are not
    /// known here are left alone, as they are never sent.
    ///
    /// A model without such a schema takes no fields; whether it knows the tags cannot be seen here,
    /// see [`seed`](Self::seed).
    pub fn from_schema(schema: &Value) -> Self {
        let values = |pointer: &str| {
            let list = schema.pointer(pointer).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str)
        };
        let claude = values("/properties/output_config/properties/effort/enum");
        let mut claude: Vec<Effort> = claude.filter_map(Effort::by_name).collect();
        let gpt = values("/properties/reasoning/properties/effort/enum");
        let gpt: Vec<Effort> = gpt.filter_map(Effort::by_name).collect();
        if values("/properties/thinking/properties/type/enum").any(|value| value == "disabled") {
            claude.push(Effort::None);
        }
        let thinking = match (claude.is_empty(), gpt.is_empty()) {
            (false, _) => Thinking::ClaudeEffort {
                allowed: Efforts::new(claude),
            },
            (true, false) => Thinking::GptEffort {
                allowed: Efforts::new(gpt),
            },
            (true, true) => Thinking::None,
        };
        Self {
            thinking,
            max_tokens: schema.pointer("/properties/max_tokens").is_some(),
        }
    }

    /// What is known about a model before the catalogue has answered, or when its entry has no schema.
    ///
    /// Models that think natively do so without being asked, so the seed sends them nothing. Only the
    /// models that need tags are listed.
    ///
    /// Source: tables of four gateways, mid to late 2026.
    pub fn seed(model: &str) -> Self {
        const MODELS: [&str; 5] = [
            "claude-opus-4.5",
            "claude-sonnet-4.5",
            "claude-sonnet-4.0",
            "claude-sonnet-4",
            "claude-haiku-4.5",
        ];
        const FAMILIES: [&str; 4] = ["deepseek-", "minimax-", "glm-", "qwen"];
        let is_tagged =
            MODELS.contains(&model) || FAMILIES.iter().any(|family| model.starts_with(family));
        let thinking = match is_tagged {
            true => Thinking::Tags,
            false => Thinking::None,
        };
        Self {
            thinking,
            max_tokens: false,
        }
    }

    /// The JSON object to send as `additionalModelRequestFields`, if there is anything to say.
    pub(super) fn request_fields(&self, sampling: &Sampling) -> Option<String> {
        let mut members = Vec::new();
        match (self.thinking, sampling.effort) {
            (Thinking::ClaudeEffort { allowed }, Some(asked)) => match allowed.nearest(asked) {
                Some(Effort::None) => members.push(r#""thinking":{"type":"disabled"}"#.to_owned()),
                Some(effort) => members.push(format!(
                    r#""thinking":{{"type":"adaptive","display":"summarized"}},"output_config":{{"effort":"{}"}}"#,
                    effort.as_str()
                )),
                None => {}
            },
            (Thinking::GptEffort { allowed }, Some(asked)) => {
                if let Some(effort) = allowed.nearest(asked) {
                    members.push(format!(r#""reasoning":{{"effort":"{}"}}"#, effort.as_str()));
                }
            }
            (Thinking::None | Thinking::Tags, _) | (_, None) => {}
        }
        // The catalogue's schemas demand at least one token.
        if let (true, Some(tokens @ 1..)) = (self.max_tokens, sampling.max_tokens) {
            members.push(format!(r#""max_tokens":{tokens}"#));
        }
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }

    /// The tags to put before the system prompt, if the model is told to think by them.
    ///
    /// The lengths follow one gateway's table for low, medium and high, capped by another's limit of
    /// 24,576 tokens; nobody has published how exactly a model keeps to them.
    pub(super) fn tags(&self, sampling: &Sampling) -> Option<&'static str> {
        let (Thinking::Tags, Some(effort)) = (self.thinking, sampling.effort) else {
            return None;
        };
        match effort {
            Effort::None => None,
            Effort::Low => Some(
                "<thinking_mode>enabled</thinking_mode><max_thinking_length>4000</max_thinking_length>",
            ),
            Effort::Medium => Some(
                "<thinking_mode>enabled</thinking_mode><max_thinking_length>16000</max_thinking_length>",
            ),
            Effort::High | Effort::ExtraHigh | Effort::Max => Some(
                "<thinking_mode>enabled</thinking_mode><max_thinking_length>24576</max_thinking_length>",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sampling(effort: Effort) -> Sampling {
        Sampling {
            effort: Some(effort),
            max_tokens: Some(1000),
        }
    }

    #[test]
    fn an_effort_becomes_the_nearest_that_the_model_takes() {
        use Effort::{ExtraHigh, High, Low, Max, Medium, None as Off};
        for (allowed, asked, sent) in [
            (vec![Low, Medium, High, Max], High, Some(High)),
            (vec![Low, Medium, High, Max], ExtraHigh, Some(Max)),
            (vec![Low, Medium, High], Max, Some(High)),
            (vec![Medium, High], Low, Some(Medium)),
            (vec![Low, High], Off, Some(Low)),
            (vec![Off, Low, High], Off, Some(Off)),
            (vec![Off, High], Low, Some(High)),
            (vec![Off], Max, Some(Off)),
            (vec![], Max, None),
        ] {
            let allowed = Efforts::new(allowed);
            assert_eq!(allowed.nearest(asked), sent, "{allowed:?} {asked:?}");
        }
    }

    #[test]
    fn the_catalogue_says_what_a_model_takes() {
        let claude = json!({"type": "object", "properties": {
            "output_config": {"type": "object", "properties": {"effort": {"enum": ["low", "high", "max"]}}},
            "thinking": {"type": "object", "properties": {"type": {"enum": ["adaptive", "disabled"]}}},
            "max_tokens": {"type": "integer"}
        }});
        let gpt = json!({"properties": {"reasoning": {"properties": {"effort": {"enum": ["none", "low", "new"]}}}}});
        let claude = Capabilities::from_schema(&claude);
        let gpt = Capabilities::from_schema(&gpt);
        assert_eq!(
            claude.request_fields(&sampling(Effort::ExtraHigh)).unwrap(),
            r#"{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"max"},"max_tokens":1000}"#
        );
        assert_eq!(
            claude.request_fields(&sampling(Effort::None)).unwrap(),
            r#"{"thinking":{"type":"disabled"},"max_tokens":1000}"#
        );
        assert_eq!(
            gpt.request_fields(&sampling(Effort::Max)).unwrap(),
            r#"{"reasoning":{"effort":"low"}}"#
        );
        assert_eq!(claude.request_fields(&Sampling::default()), None);
        assert_eq!(
            Capabilities::from_schema(&json!({})),
            Capabilities::default()
        );
        assert_eq!(
            Capabilities::from_schema(&json!(null)),
            Capabilities::default()
        );
    }

    #[test]
    fn only_models_without_native_thoughts_get_tags() {
        for (model, thinking) in [
            ("claude-sonnet-4.5", Thinking::Tags),
            ("claude-sonnet-4", Thinking::Tags),
            ("claude-sonnet-4.0", Thinking::Tags),
            ("claude-sonnet-4.6", Thinking::None),
            ("claude-opus-4.5", Thinking::Tags),
            ("claude-opus-5.5", Thinking::None),
            ("deepseek-3.2", Thinking::Tags),
            ("qwen3-coder-next", Thinking::Tags),
            ("gpt-5.6-sol", Thinking::None),
            ("auto", Thinking::None),
        ] {
            assert_eq!(Capabilities::seed(model).thinking, thinking, "{model}");
        }
        let tagged = Capabilities::seed("claude-haiku-4.5");
        assert!(
            tagged
                .tags(&sampling(Effort::Low))
                .unwrap()
                .contains("4000")
        );
        assert_eq!(tagged.tags(&sampling(Effort::None)), None);
        assert_eq!(tagged.tags(&Sampling::default()), None);
        assert_eq!(tagged.request_fields(&sampling(Effort::Low)), None);
    }
}
