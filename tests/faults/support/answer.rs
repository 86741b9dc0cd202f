//! A response as it came, and what it tells.

use serde_json::Value;

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head as text.
    pub(crate) head: String,
    /// The body, without the framing of chunks.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) ended: bool,
}

/// What a stream of chunks has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) arguments: String,
    pub(crate) finishes: Vec<String>,
    pub(crate) errors: Vec<Value>,
    /// Chunks without anything in them.
    pub(crate) keep_alives: usize,
    pub(crate) done: usize,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The text of a chat completion in one piece.
    pub(crate) fn content(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        let content = &self.json()["choices"][0]["message"]["content"];
        content.as_str().unwrap_or_default().to_owned()
    }

    /// A status that says that it failed, in an error document that names no secret.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        let error = &json["error"];
        let message = error["message"].as_str();
        let message = message.unwrap_or_else(|| panic!("no error: {json}"));
        (self.status, message.to_owned())
    }

    /// What a chat stream tells.
    pub(crate) fn told(&self) -> Told {
        assert_eq!(self.status, 200, "{}", self.text());
        let text = self.text();
        let mut told = Told::default();
        for event in text.split("\n\n").filter(|event| !event.is_empty()) {
            match event.strip_prefix("data: ") {
                Some("[DONE]") => told.done += 1,
                Some(data) => told.take(&serde_json::from_str(data).unwrap()),
                None => panic!("no event of a chat: {event:?}"),
            }
        }
        told
    }

    /// The whole text of a stream that ended as it should.
    pub(crate) fn whole_text(&self) -> String {
        let told = self.told();
        assert!(self.ended, "{told:?}");
        assert_eq!((told.errors.len(), told.done), (0, 1), "{told:?}");
        assert_eq!(told.finishes.len(), 1, "{told:?}");
        told.text
    }

    /// What came before the error of a stream that broke, and the error. Nothing in it may look like an end.
    pub(crate) fn broken_off(&self) -> (String, Value) {
        let mut told = self.told();
        assert_eq!(told.finishes, Vec::<String>::new(), "no end is made up");
        assert_eq!(told.errors.len(), 1, "{told:?}");
        let error = told.errors.remove(0);
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let last = self
            .text()
            .trim_end()
            .rsplit("\n\n")
            .find(|event| *event != "data: [DONE]")
            .unwrap()
            .to_owned();
        assert!(
            last.starts_with("data: {\"error\""),
            "nothing follows: {last}"
        );
        (told.text, error)
    }
}

impl Told {
    fn take(&mut self, chunk: &Value) {
        if let Some(error) = chunk.get("error") {
            self.errors.push(error.clone());
            return;
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        let arguments = &delta["tool_calls"][0]["function"]["arguments"];
        self.text += delta["content"].as_str().unwrap_or_default();
        self.arguments += arguments.as_str().unwrap_or_default();
        self.finishes
            .extend(choice["finish_reason"].as_str().map(str::to_owned));
        self.keep_alives +=
            usize::from(*delta == serde_json::json!({}) && choice["finish_reason"].is_null());
    }
}
