//! `response_format`: that the answer is JSON, and which.

use std::sync::Arc;

use openai_types::chat::{ChatRequest, JsonSchemaFormat};

use crate::bounds::{Format, Kind, Schema};
use crate::error::Error;
use crate::surface::openai::missing;

/// The format that is demanded, if any.
pub(super) fn demanded(request: &ChatRequest<'_>) -> Result<Option<Format>, Error> {
    let Some(format) = &request.response_format else {
        return Ok(None);
    };
    let kind = match (&*format.kind, &format.json_schema) {
        ("text", _) => return Ok(None),
        ("json_object", _) => Kind::Object,
        ("json_schema", Some(schema)) => Kind::Schema(Arc::new(compile(schema)?)),
        ("json_schema", None) => return Err(missing("response_format.json_schema")),
        (other, _) => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            );
            return Err(Error::invalid(
                "response_format.type",
                Some("invalid_value"),
                message,
            ));
        }
    };
    Ok(Some(Format {
        param: "response_format",
        kind,
        is_live: request.stream == Some(true),
    }))
}

fn compile(format: &JsonSchemaFormat<'_>) -> Result<Schema, Error> {
    // Without a schema, any JSON will do.
    let text = format
        .schema
        .as_ref()
        .map_or("{}", |schema| schema.as_json());
    Schema::parse(&format.name, format.description.as_deref(), text).map_err(|error| {
        let message = format!(
            "Invalid schema for response_format '{}': {error}.",
            format.name
        );
        Error::invalid(
            "response_format.json_schema.schema",
            Some("invalid_json_schema"),
            message,
        )
    })
}
