//! `POST /v1/messages/count_tokens`: how many tokens a request has, by our own count. Nothing is asked upstream,
//! because agents ask this twenty times at once (measured with Claude Code, November 2026).

use anthropic_types::TokenCount;
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::body::{self, Body, DynError};
use crate::error::Error;
use crate::response::json;
use crate::shared::Shared;
use crate::surface::messages;
use crate::usage::Prompt;

/// Counts. A model that nobody knows is no reason to refuse: it is counted like the rest.
pub(crate) async fn answer<B>(shared: &Shared, request: Request<B>) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<DynError>,
{
    let (head, body) = request.into_parts();
    let tenant = shared.tenants.admit(&head.headers)?;
    // It costs nothing that a key's limits count, but time and memory here.
    let _slot = shared.admission.enter().await?;
    shared.spare_memory()?;
    let memory = &shared.admission.memory;
    let (limit, time) = (shared.max_body, shared.timeouts.body);
    let (body, _held) = body::read(&head.headers, body, limit, time, memory).await?;
    let models = tenant.catalog.current();
    let conversation = messages::conversation(body, |name| match models.resolve(name) {
        Ok(model) => model.id.clone(),
        Err(_) => name.to_owned(),
    })?;
    let count = TokenCount::new(Prompt::of(&conversation).tokens());
    // A number always serializes.
    let document = serde_json::to_vec(&count).unwrap_or_default();
    Ok(json(StatusCode::OK, document.into()))
}
