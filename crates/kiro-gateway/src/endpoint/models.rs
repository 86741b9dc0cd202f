//! `GET /v1/models` and `GET /v1/models/{id}`: one shape that OpenAI's and Anthropic's clients read.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use openai_types::{Model as ModelObject, ModelList};

use crate::body::Body;
use crate::catalog::Model;
use crate::error::Error;
use crate::response::json;
use crate::shared::Shared;

/// All models, from a catalogue that is at most an hour old.
pub(crate) async fn list(shared: &Shared, headers: &HeaderMap) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let models = tenant
        .catalog
        .fresh(shared.upstream.list_models(&tenant))
        .await;
    let list = ModelList::new(models.iter().map(object).collect());
    Ok(document(&list))
}

/// One model, by any of its spellings.
pub(crate) async fn one(
    shared: &Shared,
    headers: &HeaderMap,
    name: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let models = tenant
        .catalog
        .fresh(shared.upstream.list_models(&tenant))
        .await;
    models.resolve(name).map(|model| document(&object(model)))
}

fn object(model: &Model) -> ModelObject {
    let owner = if model.id.to_lowercase().starts_with("claude") {
        "anthropic"
    } else {
        "kiro"
    };
    let mut object = ModelObject::new(model.name.clone(), model.created, owner);
    object.display_name = Some(model.title.clone());
    object.context_length = Some(model.context_window.into());
    object.max_output_tokens = Some(model.max_output_tokens.into());
    object
}

fn document(value: &impl serde::Serialize) -> Response<Body> {
    // Strings and numbers always serialize.
    json(
        StatusCode::OK,
        Bytes::from(serde_json::to_vec(value).unwrap_or_default()),
    )
}
