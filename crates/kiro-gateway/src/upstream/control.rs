//! The small calls: the list of models.

use super::Upstream;
use crate::error::{Error, ErrorKind};
use crate::tenant::Tenant;

/// What the live catalogue says of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelInfo {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) max_input_tokens: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) fields_schema: Option<serde_json::Value>,
}

impl Upstream {
    pub(crate) async fn list_models(&self, _: &Tenant) -> Result<Vec<ModelInfo>, Error> {
        Err(Error::new(ErrorKind::Internal, "stub"))
    }
}
