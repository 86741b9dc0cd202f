//! `GET /api/hello`: what Claude Code asks to learn whether there is a way to the API.
//!
//! ```json
//! {"message": "hello"}
//! ```

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::body::Body;
use crate::response::json;

pub(crate) fn answer() -> Response<Body> {
    json(
        StatusCode::OK,
        Bytes::from_static(br#"{"message":"hello"}"#),
    )
}
