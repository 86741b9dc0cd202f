//! The simulator's own control plane.
use crate::state::Shared;
use crate::stream::SimBody;
use bytes::Bytes;
use hyper::Response;
use hyper::http::request::Parts;
use std::sync::Arc;
pub(crate) fn control(
    _shared: &Arc<Shared>,
    _head: &Parts,
    _path: &str,
    _body: &Bytes,
) -> Response<SimBody> {
    super::ok(&serde_json::json!({}))
}
