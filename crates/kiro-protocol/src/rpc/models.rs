//! Which models there are.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Map, Value};

use super::call::Operation;
use super::read::{count, list, number, object, text};
use super::{Call, RpcError};
use crate::conversation::Effort;
use crate::request::{BuildError, Capabilities, Thinking};

const NAME: &str = "ListAvailableModels";

const OPERATION: Operation = Operation {
    method: Method::GET,
    path: "/ListAvailableModels",
    hyphened_path: "/List-Available-Models",
    cli_target: "AmazonCodeWhispererService.ListAvailableModels",
    krs_target: "KiroControlPlaneBearerService.ListAvailableModels",
};

/// Most models to ask for at once: what clients of the REST spelling send. The answer has about twenty.
const PAGE: u32 = 50;

/// Asks which models a credential may use. The answer depends on plan, profile, region, origin and
/// country.
///
/// `next_token` is that of the page before.
///
/// # Errors
///
/// [`BuildError`] when a value cannot stand in a header or an address.
pub fn list_models(
    call: &Call<'_>,
    next_token: Option<&str>,
) -> Result<Request<Bytes>, BuildError> {
    let mut parameters = Map::new();
    parameters.insert("origin".into(), (*call.profile.origin).into());
    if let Some(arn) = call.arn() {
        parameters.insert("profileArn".into(), arn.into());
    }
    parameters.insert("maxResults".into(), PAGE.into());
    if let Some(token) = next_token {
        parameters.insert("nextToken".into(), token.into());
    }
    OPERATION.request(call, &parameters)
}

/// One page of the catalogue.
///
/// ```text
/// {"models":[{"modelId":"claude-sonnet-4.5",…}],"defaultModel"?:{"modelId":"auto",…},"nextToken"?:null}
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ModelList {
    /// The models of this page, in the service's order.
    pub models: Vec<ModelInfo>,
    /// The default model. Not always among `models`.
    pub default: Option<ModelInfo>,
    /// Asks for the next page. Always `null` in practice.
    pub next_token: Option<String>,
}

impl ModelList {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the answer is no JSON object or has no list of models.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let members = object(NAME, body)?;
        let models = list(NAME, &members, "models")?;
        Ok(Self {
            models: models.iter().filter_map(ModelInfo::read).collect(),
            default: members.get("defaultModel").and_then(ModelInfo::read),
            next_token: text(members.get("nextToken")),
        })
    }
}

/// One model of the catalogue. Only the id is certain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The id by which requests name it, for example `claude-sonnet-4.5`.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// A sentence about it.
    pub description: Option<String>,
    /// The context window in tokens. The percentage that a reply reports is a share of it.
    pub max_input_tokens: Option<u64>,
    /// The longest output in tokens.
    pub max_output_tokens: Option<u64>,
    /// Its price relative to `auto`.
    pub rate_multiplier: Option<f64>,
    /// The unit of the price: `Credit`.
    pub rate_unit: Option<String>,
    /// What it takes. Empty when the service does not say.
    pub input_types: Vec<InputType>,
    /// Whether and how it caches prompts.
    pub prompt_caching: Option<PromptCaching>,
    /// The JSON schema of what requests for it may carry besides the conversation.
    pub fields_schema: Option<Value>,
    /// `Active` and the like.
    pub status: Option<String>,
    /// Who makes it.
    pub provider: Option<String>,
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputType {
    /// `TEXT`
    Text,
    /// `IMAGE`
    Image,
}

/// How a model caches prompts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptCaching {
    /// Whether it does.
    pub supported: bool,
    /// Fewest tokens between two cache points.
    pub min_tokens_per_point: Option<u64>,
    /// Most cache points in one request.
    pub max_points: Option<u64>,
}

impl ModelInfo {
    /// Knobs that requests for this model may turn: from its schema, or what is known about it when the
    /// service gives none.
    pub fn capabilities(&self) -> Capabilities {
        match &self.fields_schema {
            Some(schema) => Capabilities::from_schema(schema),
            None => Capabilities::seed(&self.id),
        }
    }

    /// How hard it can be told to think, from least to most; empty when it cannot be told.
    pub fn efforts(&self) -> Vec<Effort> {
        let allowed = match self.capabilities().thinking {
            Thinking::ClaudeEffort { allowed } | Thinking::GptEffort { allowed } => allowed,
            Thinking::None | Thinking::Tags => return Vec::new(),
        };
        let all = [
            Effort::None,
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::ExtraHigh,
            Effort::Max,
        ];
        all.into_iter()
            .filter(|effort| allowed.contains(*effort))
            .collect()
    }

    /// `None` when it has no id.
    fn read(model: &Value) -> Option<Self> {
        let limit =
            |name: &str| count(model.get("tokenLimits").and_then(|limits| limits.get(name)));
        let said = |name: &str| text(model.get(name));
        let input_types = model.get("supportedInputTypes").and_then(Value::as_array);
        let input_types = input_types
            .into_iter()
            .flatten()
            .filter_map(InputType::read);
        Some(Self {
            // One client met `id` instead, and blanks around it.
            id: said("modelId").or_else(|| said("id"))?,
            name: said("modelName"),
            description: said("description"),
            max_input_tokens: limit("maxInputTokens"),
            max_output_tokens: limit("maxOutputTokens"),
            rate_multiplier: number(model.get("rateMultiplier")),
            rate_unit: said("rateUnit"),
            input_types: input_types.collect(),
            prompt_caching: model.get("promptCaching").and_then(PromptCaching::read),
            fields_schema: model
                .get("additionalModelRequestFieldsSchema")
                .filter(|schema| schema.is_object())
                .cloned(),
            status: said("status"),
            provider: said("provider").or_else(|| said("modelProvider")),
        })
    }
}

impl InputType {
    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "TEXT" => Some(Self::Text),
            "IMAGE" => Some(Self::Image),
            _ => None,
        }
    }
}

impl PromptCaching {
    fn read(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let supported = members.get("supportsPromptCaching");
        Some(Self {
            supported: supported.and_then(Value::as_bool).unwrap_or_default(),
            min_tokens_per_point: count(members.get("minimumTokensPerCacheCheckpoint")),
            max_points: count(members.get("maximumCacheCheckpointsPerRequest")),
        })
    }
}
