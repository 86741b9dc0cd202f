//! What the service answers when it does not do what it was asked.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use kiro_protocol::Generation;
use serde_json::{Map, Value, json};

use crate::record::Refused;
use crate::stream::{SimBody, whole_body};
use crate::validate::Violation;

/// A refusal, before it is put into the form of one generation of the wire.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) rule: &'static str,
    pub(crate) status: u16,
    /// Name of the exception, without a namespace.
    pub(crate) exception: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) detail: String,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) form: Form,
}

/// The form of a refusal's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `{"message", "reason"}`, with `__type` on targets.
    Api,
    /// `{"message"}`, as the social sign-in service answers.
    Message,
    /// `{"error", "error_description"}`; the reason is the error.
    OAuth,
    /// A page of HTML, as the edge answers.
    Html,
}

impl Refusal {
    pub(crate) fn new(
        rule: &'static str,
        status: u16,
        exception: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            status,
            exception,
            reason: None,
            message: message.into(),
            detail: String::new(),
            retry_after: None,
            form: Form::Api,
        }
    }

    /// An OAuth error: `{"error": …, "error_description": …}`.
    pub(crate) fn oauth(
        status: u16,
        exception: &'static str,
        error: &'static str,
        description: &str,
    ) -> Self {
        Self {
            reason: Some(error),
            form: Form::OAuth,
            ..Self::new("OAuth", status, exception, description)
        }
    }

    /// The answer to a bearer token that is missing, unknown, expired or of another type.
    pub(crate) fn bad_bearer(detail: &str) -> Self {
        let message = "The bearer token included in the request is invalid.";
        Self::new("E16", 403, "AccessDeniedException", message).detailed(detail)
    }

    pub(crate) fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn in_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What is kept for the test that asks why.
    pub(crate) fn record(&self) -> Refused {
        Refused {
            rule: self.rule,
            status: self.status,
            reason: self.reason.map(str::to_owned),
            message: self.message.clone(),
            detail: self.detail.clone(),
        }
    }

    /// The response, as the called generation of the wire spells it.
    pub(crate) fn response(&self, generation: Option<Generation>) -> Response<SimBody> {
        let (content_type, body) = match self.form {
            Form::Html => ("text/html", self.message.clone()),
            Form::Message => (
                "application/json",
                json!({"message": self.message}).to_string(),
            ),
            Form::OAuth => {
                let body = json!({"error": self.reason, "error_description": self.message});
                ("application/json", body.to_string())
            }
            Form::Api => match generation {
                None | Some(Generation::Rest) => ("application/json", self.rest_body()),
                Some(generation) => ("application/x-amz-json-1.0", self.rpc_body(generation)),
            },
        };
        let mut response = Response::new(whole_body(body));
        // Statuses are literals of this crate, all of them legal.
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.form != Form::Html {
            headers.insert("x-amzn-errortype", HeaderValue::from_static(self.exception));
        }
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        response
    }

    fn rest_body(&self) -> String {
        let mut body = self.members();
        body.entry("reason").or_insert(Value::Null);
        Value::Object(body).to_string()
    }

    fn rpc_body(&self, generation: Generation) -> String {
        let namespace = match generation {
            Generation::Krs => "com.amazon.kiro.runtimeservice",
            _ => "com.amazon.aws.codewhisperer",
        };
        let kind = format!("{namespace}#{}", self.exception);
        let mut body = Map::from_iter([("__type".to_owned(), Value::from(kind))]);
        body.extend(self.members());
        Value::Object(body).to_string()
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("message".to_owned(), self.message.as_str().into());
        if let Some(reason) = self.reason {
            members.insert("reason".to_owned(), reason.into());
        }
        if let Some(after) = self.retry_after {
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            members.insert("retryAfterMilliseconds".to_owned(), millis.into());
        }
        members
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self {
            rule: violation.rule,
            status: violation.status,
            exception: violation.exception,
            reason: violation.reason,
            message: violation.message,
            detail: violation.detail,
            retry_after: None,
            form: Form::Api,
        }
    }
}

/// Whole seconds, rounded up, as the `retry-after` header wants them.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
