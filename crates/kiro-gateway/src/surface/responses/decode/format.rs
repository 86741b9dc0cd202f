//! `text.format`: that the answer is JSON, and which.

use std::sync::Arc;

use openai_types::responses::{Format as Asked, ResponsesRequest};

use crate::bounds::{Format, Kind, Schema};
use crate::error::Error;
use crate::surface::openai::{missing, parse};

/// The format that is demanded, if any.
pub(super) fn demanded(request: &ResponsesRequest<'_>) -> Result<Option<Format>, Error> {
    let format = request.text.as_ref().and_then(|text| text.format.as_ref());
    let Some(format) = format else {
        return Ok(None);
    };
    let format: Asked<'_> = parse::parse_at(format.as_json(), "text.format")?;
    let kind = match &*format.kind {
        "text" => return Ok(None),
        "json_object" => Kind::Object,
        "json_schema" => Kind::Schema(Arc::new(compile(&format)?)),
        other => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            );
            return Err(Error::invalid(
                "text.format.type",
                Some("invalid_value"),
                message,
            ));
        }
    };
    Ok(Some(Format {
        param: "text.format",
        kind,
        is_live: request.stream == Some(true),
    }))
}

fn compile(format: &Asked<'_>) -> Result<Schema, Error> {
    let name = format.name.as_deref();
    let name = name.ok_or_else(|| missing("text.format.name"))?;
    let schema = format.schema.as_ref();
    let schema = schema.ok_or_else(|| missing("text.format.schema"))?;
    Schema::parse(name, format.description.as_deref(), schema.as_json()).map_err(|error| {
        Error::invalid(
            "text.format.schema",
            Some("invalid_json_schema"),
            format!("Invalid schema for response_format '{name}': {error}."),
        )
    })
}
