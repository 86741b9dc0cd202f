//! Tool names that had to change on the way to Kiro, and the way back.

use std::collections::HashMap;
use std::sync::Arc;

/// Maps the names that Kiro knows back to those that the client declared. Cheap to clone.
///
/// The default map has renamed nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolNames {
    clients: Option<Arc<HashMap<String, String>>>,
}

impl ToolNames {
    /// From pairs of Kiro's name and the client's name.
    pub fn new(renamed: impl IntoIterator<Item = (String, String)>) -> Self {
        let clients: HashMap<_, _> = renamed.into_iter().collect();
        Self {
            clients: (!clients.is_empty()).then(|| Arc::new(clients)),
        }
    }

    /// The client's name of the tool that Kiro calls `kiro_name`.
    pub fn restore<'a>(&'a self, kiro_name: &'a str) -> &'a str {
        let renamed = self
            .clients
            .as_ref()
            .and_then(|clients| clients.get(kiro_name));
        renamed.map_or(kiro_name, String::as_str)
    }
}
