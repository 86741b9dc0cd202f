//! What stands in for OpenTelemetry where it is not compiled in: nothing.

use http::{HeaderMap, Method};

use super::Ended;

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum OpenTelemetry {}

/// The spans of nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace;

impl Trace {
    pub(crate) fn begin(
        _to: Option<&OpenTelemetry>,
        _method: &Method,
        _path: &str,
        _headers: &HeaderMap,
        _request_id: &str,
    ) -> Self {
        Self
    }

    pub(super) fn accepted(&self, _model: &str, _stream: bool) {}

    pub(super) fn attempt_failed(&self, _number: u32, _fault: &'static str) {}

    pub(super) fn ended(&self, _ended: &Ended<'_>) {}
}
