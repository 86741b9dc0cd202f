//! The models that the simulated service offers.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

/// What `ListAvailableModels` answers, and what Generate accepts. Cheap to clone.
///
/// The default is the catalogue of late 2026 as public captures show it, seed models included.
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    response: Value,
    models: Vec<Model>,
}

impl Default for Catalog {
    fn default() -> Self {
        static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| {
            let text = include_str!("data/list-available-models.json");
            // The file is part of the crate, and a test below parses it.
            #[expect(
                clippy::expect_used,
                reason = "proved by `the_built_in_catalogue_is_sound`"
            )]
            Catalog::from_response(serde_json::from_str(text).expect("the built-in catalogue"))
        });
        BUILT_IN.clone()
    }
}

impl Catalog {
    /// A catalogue from a whole `ListAvailableModels` response. Entries without `modelId` are left out.
    pub fn from_response(response: Value) -> Self {
        let entries = response
            .get("models")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let models = entries.filter_map(Model::from_entry).collect();
        Self {
            shared: Arc::new(Shared { response, models }),
        }
    }

    /// A catalogue with these model ids only, 200 000 tokens each; for tests that need other names.
    pub fn of(ids: &[&str]) -> Self {
        let models: Vec<Value> = ids
            .iter()
            .map(|id| {
                json!({
                    "modelId": id, "modelName": id, "rateMultiplier": 1.0, "rateUnit": "Credit",
                    "supportedInputTypes": ["TEXT", "IMAGE"],
                    "tokenLimits": {"maxInputTokens": 200_000, "maxOutputTokens": 64_000},
                })
            })
            .collect();
        Self::from_response(json!({"models": models, "nextToken": null}))
    }

    /// The model that a `modelId` of a request means.
    ///
    /// Two upper-snake ids of 2025 are still taken for the models that had them.
    pub fn find(&self, id: &str) -> Option<&Model> {
        let id = match id {
            "CLAUDE_SONNET_4_5_20250929_V1_0" => "claude-sonnet-4.5",
            "CLAUDE_SONNET_4_20250514_V1_0" => "claude-sonnet-4",
            other => other,
        };
        self.shared.models.iter().find(|model| model.id == id)
    }

    /// The models, in the order of the response.
    pub fn models(&self) -> &[Model] {
        &self.shared.models
    }

    /// The whole response as the service gives it.
    pub fn response(&self) -> &Value {
        &self.shared.response
    }
}

/// One model of the catalogue.
#[derive(Debug, Clone)]
pub struct Model {
    id: String,
    max_input_tokens: u64,
    rate: f64,
    sees: bool,
    fields_schema: Option<Value>,
}

impl Model {
    fn from_entry(entry: &Value) -> Option<Self> {
        let id = entry.get("modelId")?.as_str()?.to_owned();
        let limits = entry.get("tokenLimits");
        let tokens = |name| {
            limits
                .and_then(|limits| limits.get(name))
                .and_then(Value::as_u64)
        };
        let inputs = entry.get("supportedInputTypes").and_then(Value::as_array);
        Some(Self {
            id,
            max_input_tokens: tokens("maxInputTokens").unwrap_or(200_000),
            rate: entry
                .get("rateMultiplier")
                .and_then(Value::as_f64)
                .unwrap_or(1.0),
            sees: inputs.is_some_and(|inputs| inputs.iter().any(|input| input == "IMAGE")),
            fields_schema: entry.get("additionalModelRequestFieldsSchema").cloned(),
        })
    }

    /// The wire id, for example `claude-sonnet-4.5`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The context window in tokens.
    pub fn max_input_tokens(&self) -> u64 {
        self.max_input_tokens
    }

    /// Credits per unit, relative to `auto`.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether the model takes pictures.
    pub fn sees(&self) -> bool {
        self.sees
    }

    /// The schema of `additionalModelRequestFields`, for models that have one.
    pub fn fields_schema(&self) -> Option<&Value> {
        self.fields_schema
            .as_ref()
            .filter(|schema| !schema.is_null())
    }

    /// Whether the model thinks without being asked, in events of their own.
    pub fn thinks(&self) -> bool {
        self.fields_schema()
            .is_some_and(|schema| schema.pointer("/properties/thinking").is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_is_sound() {
        let catalog = Catalog::default();
        for id in [
            "auto",
            "claude-opus-4.5",
            "claude-sonnet-4.5",
            "claude-sonnet-4",
            "claude-haiku-4.5",
            "CLAUDE_SONNET_4_20250514_V1_0",
        ] {
            assert!(catalog.find(id).is_some(), "{id}");
        }
        assert!(catalog.find("CLAUDE_3_7_SONNET_20250219_V1_0").is_none());
        let opus = catalog.find("claude-opus-4.8").unwrap();
        assert!(opus.thinks() && opus.sees());
        assert_eq!(opus.max_input_tokens(), 1_000_000);
        assert!(!catalog.find("deepseek-3.2").unwrap().sees());
    }
}
