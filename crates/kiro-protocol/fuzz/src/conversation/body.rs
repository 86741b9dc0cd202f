//! The body of a request, read again.

use serde_json::Value;

pub(super) struct Body(pub(super) Value);

impl Body {
    pub(super) fn parse(body: &str) -> Self {
        Self(serde_json::from_str(body).expect("a body of JSON"))
    }

    /// Every text that the model reads, one after the other.
    pub(super) fn texts(&self) -> String {
        let mut sent = String::new();
        for message in self.messages() {
            for kind in ["userInputMessage", "assistantResponseMessage"] {
                sent += message[kind]["content"].as_str().unwrap_or_default();
                sent += "\0";
            }
            let results = &message["userInputMessage"]["userInputMessageContext"]["toolResults"];
            let results = results.as_array().into_iter().flatten();
            let parts =
                results.flat_map(|result| result["content"].as_array().into_iter().flatten());
            for part in parts {
                sent += part["text"].as_str().unwrap_or_default();
                sent += "\0";
            }
        }
        sent
    }

    pub(super) fn n_images(&self) -> usize {
        let images = |message: &Value| {
            message["userInputMessage"]["images"]
                .as_array()
                .map_or(0, Vec::len)
        };
        self.messages().map(images).sum()
    }

    /// The current message as it stands in the history, where no tools are declared.
    pub(super) fn current_as_history(mut self) -> Value {
        let mut current = self.0["conversationState"]["currentMessage"].take();
        let message = &mut current["userInputMessage"];
        if let Some(Value::Object(context)) = message.get_mut("userInputMessageContext") {
            context.remove("tools");
            if context.is_empty()
                && let Some(message) = message.as_object_mut()
            {
                message.remove("userInputMessageContext");
            }
        }
        current
    }

    /// The messages, the current one last.
    fn messages(&self) -> impl Iterator<Item = &Value> {
        let state = &self.0["conversationState"];
        let history = state["history"].as_array().into_iter().flatten();
        history.chain([&state["currentMessage"]])
    }
}
