//! The client's request, once more.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kiro_gateway::capture::{Bundle, Content, Ended};

use super::compare::Told;
use super::retell::{MASKED, Unfit};
use crate::command::Failure;

/// Headers that the connection of this request makes by itself, and of a body that was compressed.
const OF_THE_CONNECTION: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::HOST,
    header::EXPECT,
    header::AUTHORIZATION,
];

/// Sends what was captured, with a key that is right here; reads as much as the client has read.
pub(super) async fn ask(address: SocketAddr, key: &str, bundle: &Bundle) -> Result<Told, Failure> {
    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request(address, key, bundle)?)
        .await?;
    let (head, mut body) = response.into_parts();
    let mut told = Told::of_head(head.status.as_u16(), &head.headers);
    let captured = Told::of_bundle(bundle)?;
    while !captured.is_reached_by(&told)
        && let Some(frame) = body.frame().await
    {
        let Ok(frame) = frame else {
            told.ended = Ended::Broken;
            break;
        };
        if let Ok(data) = frame.into_data() {
            told.body.extend_from_slice(&data);
        }
    }
    Ok(told)
}

fn request(
    address: SocketAddr,
    key: &str,
    bundle: &Bundle,
) -> Result<Request<Full<Bytes>>, Failure> {
    let asked = &bundle.request;
    let body = asked.body.as_ref().ok_or(Unfit::NoBody)?;
    if body.left_out > 0 {
        return Err(Unfit::Cut("the request").into());
    }
    let body = match &body.content {
        Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
        _ => return Err(Unfit::Damaged.into()),
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = asked.method.parse::<Method>()?;
    // Whatever the file says, nobody else is asked.
    if !asked.path.starts_with('/') {
        return Err(Unfit::Damaged.into());
    }
    *request.uri_mut() = format!("http://{address}{}", asked.path).parse()?;
    for (name, value) in &asked.head.headers {
        let name: HeaderName = name.parse()?;
        if value != MASKED && !OF_THE_CONNECTION.contains(&name) {
            request.headers_mut().append(name, value.parse()?);
        }
    }
    let key = HeaderValue::from_str(&format!("Bearer {key}"))?;
    request.headers_mut().insert(header::AUTHORIZATION, key);
    Ok(request)
}
