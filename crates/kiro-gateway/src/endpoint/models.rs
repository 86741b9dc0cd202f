//! `GET /v1/models` and `GET /v1/models/{id}`: in Anthropic's form for who speaks its dialect, and for all others
//! one shape that clients of both read.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use kiro_protocol::conversation::Effort;
use openai_types::{Model as ModelObject, ModelCapabilities, ModelList};

use crate::body::Body;
use crate::catalog::Model;
use crate::error::Error;
use crate::response::json;
use crate::shared::Shared;
use crate::surface;

/// All models, from a catalogue that is at most an hour old.
pub(crate) async fn list(shared: &Shared, headers: &HeaderMap) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let models = tenant
        .catalog
        .fresh(|| shared.upstream.list_models(&tenant))
        .await;
    let listed = models.listed();
    if surface::speaks_messages(headers) {
        let data = listed.map(|(name, model)| anthropic(name, model)).collect();
        return Ok(document(&anthropic_types::ModelList::new(data)));
    }
    let list = ModelList::new(listed.map(|(name, model)| object(name, model)).collect());
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
        .fresh(|| shared.upstream.list_models(&tenant))
        .await;
    let model = models.resolve(name)?;
    // The name as listed. One that is not, of a hidden model for example, stays as it was asked for.
    let is_listed = |wanted: &str| {
        let mut listed = models.listed();
        listed.any(|(name, of)| name == wanted && of.id == model.id)
    };
    let names = [name, &model.name];
    let name = names
        .into_iter()
        .find(|name| is_listed(name))
        .unwrap_or(name);
    if surface::speaks_messages(headers) {
        return Ok(document(&anthropic(name, model)));
    }
    Ok(document(&object(name, model)))
}

fn anthropic(name: &str, model: &Model) -> anthropic_types::Model {
    let created = anthropic_types::rfc3339(model.created);
    let mut object = anthropic_types::Model::new(name, &*model.title, created);
    object.max_input_tokens = Some(model.context_window.into());
    object.max_tokens = Some(model.max_output_tokens.into());
    object
}

fn object(name: &str, model: &Model) -> ModelObject {
    let owner = if model.id.to_lowercase().starts_with("claude") {
        "anthropic"
    } else {
        "kiro"
    };
    let mut object = ModelObject::new(name, model.created, owner);
    object.display_name = Some(model.title.clone());
    let created = i64::try_from(model.created).ok();
    let created = created.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    object.created_at = created.map(|time| time.to_string());
    object.context_length = Some(model.context_window.into());
    object.max_output_tokens = Some(model.max_output_tokens.into());
    let mut capabilities = ModelCapabilities::default();
    capabilities.vision = model.takes_images();
    // The service has no list of models that cannot call tools, and none is known.
    capabilities.tools = true;
    let efforts = model.efforts().into_iter().map(Effort::as_str);
    capabilities.reasoning_efforts = efforts.map(str::to_owned).collect();
    object.capabilities = Some(capabilities);
    object
}

fn document(value: &impl serde::Serialize) -> Response<Body> {
    // Strings and numbers always serialize.
    json(
        StatusCode::OK,
        Bytes::from(serde_json::to_vec(value).unwrap_or_default()),
    )
}
