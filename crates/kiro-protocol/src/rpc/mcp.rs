//! The tools that the service hosts, behind a small MCP server.

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Request};
use serde_json::{Map, Value};

use super::call::{Operation, PROFILE_ARN};
use super::read::{count, list, object, text};
use super::{Call, RpcError};
use crate::Generation;
use crate::conversation::JsonObject;
use crate::request::BuildError;
use crate::text::JsonText;

const NAME: &str = "InvokeMCP";

/// The classic CLI does not make this call; on its host the target of the newest generation is served
/// (a guess, as both generations share the host).
const OPERATION: Operation = Operation {
    method: Method::POST,
    path: "/mcp",
    hyphened_path: "/mcp",
    cli_target: "KiroRuntimeService.InvokeMCP",
    krs_target: "KiroRuntimeService.InvokeMCP",
};

/// Asks which tools the service hosts; `web_search` is one. Goes to the runtime host.
///
/// `id` comes back in the answer.
///
/// # Errors
///
/// [`BuildError`] when a value cannot stand in a header or an address.
pub fn list_tools(call: &Call<'_>, id: &str) -> Result<Request<Bytes>, BuildError> {
    invoke(call, id, "tools/list", "")
}

/// Uses a tool. Goes to the runtime host; takes up to a minute.
///
/// ```text
/// {"id":"…","jsonrpc":"2.0","method":"tools/call",
///  "params":{"name":"web_search","arguments":{"query":"…"}},"profileArn":"…"}
/// ```
///
/// The REST spelling names the profile in the header `x-amzn-kiro-profile-arn` instead.
///
/// # Errors
///
/// [`BuildError`] when a value cannot stand in a header or an address.
pub fn call_tool(
    call: &Call<'_>,
    id: &str,
    name: &str,
    arguments: &JsonObject,
) -> Result<Request<Bytes>, BuildError> {
    let params = format!(
        r#","params":{{"name":"{}","arguments":{}}}"#,
        JsonText::new(name).escaped(),
        arguments.as_str()
    );
    invoke(call, id, "tools/call", &params)
}

fn invoke(
    call: &Call<'_>,
    id: &str,
    method: &str,
    params: &str,
) -> Result<Request<Bytes>, BuildError> {
    let is_rest = call.profile.generation == Generation::Rest;
    let mut body = format!(
        r#"{{"id":"{}","jsonrpc":"2.0","method":"{method}"{params}"#,
        JsonText::new(id).escaped()
    );
    if let Some(arn) = call.arn().filter(|_| !is_rest) {
        let arn = JsonText::new(arn);
        body.push_str(&format!(r#","profileArn":"{}""#, arn.escaped()));
    }
    body.push('}');
    let mut request = OPERATION.write(call, "", body.into())?;
    if let Some(arn) = call.arn().filter(|_| is_rest) {
        let value = HeaderValue::from_str(arn).map_err(|source| BuildError::Header {
            name: PROFILE_ARN,
            source,
        })?;
        request.headers_mut().insert(PROFILE_ARN, value);
    }
    Ok(request)
}

/// The tools that the service hosts.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct HostedTools {
    /// The tools.
    pub tools: Vec<HostedTool>,
}

/// One tool that the service hosts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HostedTool {
    /// Its name, for example `web_search`.
    pub name: String,
    /// What it does, and how the service asks it to be used.
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub schema: Map<String, Value>,
}

impl HostedTools {
    /// Reads an answer to [`list_tools`].
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the answer is no JSON-RPC answer with a list of tools.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let result = result(body)?;
        let tools = list(NAME, &result, "tools")?.iter().filter_map(|tool| {
            let schema = tool.get("inputSchema").and_then(Value::as_object);
            Some(HostedTool {
                name: text(tool.get("name"))?,
                description: text(tool.get("description")),
                schema: schema.cloned().unwrap_or_default(),
            })
        });
        Ok(Self {
            tools: tools.collect(),
        })
    }
}

/// What a hosted tool returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolOutput {
    /// Its texts; other content is left out.
    pub texts: Vec<String>,
    /// Whether the tool failed.
    pub is_error: bool,
}

impl ToolOutput {
    /// Reads an answer to [`call_tool`].
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the answer is no JSON-RPC answer with a list of content; [`RpcError::Tool`]
    /// when the server refused the call.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let result = result(body)?;
        let content = list(NAME, &result, "content")?;
        let texts = content.iter().filter_map(|part| part.get("text")?.as_str());
        let is_error = result.get("isError").and_then(Value::as_bool);
        Ok(Self {
            texts: texts.map(str::to_owned).collect(),
            is_error: is_error.unwrap_or_default(),
        })
    }
}

/// What `web_search` found: JSON inside the first text of its [`ToolOutput`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSearch {
    /// The pages, best first.
    pub pages: Vec<WebPage>,
    /// Why there are none, if the search failed.
    pub error: Option<String>,
}

/// One page that a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebPage {
    /// Its title.
    pub title: Option<String>,
    /// Its address.
    pub url: String,
    /// A passage of it.
    pub snippet: Option<String>,
    /// Its host.
    pub domain: Option<String>,
    /// When it was published, in milliseconds since 1970.
    pub published: Option<u64>,
    /// Most words that may be quoted from it, unless it is in the public domain.
    pub max_verbatim_words: Option<u64>,
    /// Whether it is in the public domain.
    pub public_domain: bool,
}

impl WebSearch {
    /// Reads the text of a [`ToolOutput`].
    ///
    /// # Errors
    ///
    /// [`RpcError`] when it is no JSON object.
    pub fn parse(text: &str) -> Result<Self, RpcError> {
        let members = object("web_search", text.as_bytes())?;
        let results = members.get("results").and_then(Value::as_array);
        Ok(Self {
            pages: results
                .into_iter()
                .flatten()
                .filter_map(WebPage::read)
                .collect(),
            error: self::text(members.get("error")),
        })
    }
}

impl WebPage {
    /// `None` when it has no address.
    fn read(page: &Value) -> Option<Self> {
        let public_domain = page.get("publicDomain").and_then(Value::as_bool);
        Some(Self {
            title: text(page.get("title")),
            url: text(page.get("url"))?,
            snippet: text(page.get("snippet")),
            domain: text(page.get("domain")),
            published: count(page.get("publishedDate")),
            max_verbatim_words: count(page.get("maxVerbatimWordLimit")),
            public_domain: public_domain.unwrap_or_default(),
        })
    }
}

/// The `result` of a JSON-RPC answer.
fn result(body: &[u8]) -> Result<Map<String, Value>, RpcError> {
    let mut members = object(NAME, body)?;
    if let Some(error) = members.get("error").filter(|error| error.is_object()) {
        return Err(RpcError::Tool {
            code: error
                .get("code")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            message: text(error.get("message")).unwrap_or_default(),
        });
    }
    match members.remove("result") {
        Some(Value::Object(result)) => Ok(result),
        _ => Err(RpcError::Missing {
            operation: NAME,
            member: "result",
        }),
    }
}
