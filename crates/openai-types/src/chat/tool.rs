//! Tools: how they are offered, how they are called.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::either::{Either, string_or_object};
use crate::json::{Object, Text, unexpected};

/// A tool that the model may use, in any of the shapes that clients send:
///
/// ```text
/// {"type": "function", "function": {"name", "description"?, "parameters"?, "strict"?}}   the schema's
/// {"type": "custom", "custom": {"name", "description"?, "format"?}}                      the schema's
/// {"type": "function", "name", "description"?, "parameters"?, "strict"?}                 flat (Cursor)
/// {"type": "custom", "name", "description"?, "format"?}                                  flat (Cursor)
/// {"name", "description"?, "input_schema"}                                               bare (Anthropic)
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatTool"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Tool<'a> {
    /// `function`, `custom`, or the name of something that the server is to run.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A function.
    pub function: Option<Function<'a>>,
    /// A tool that takes free text.
    pub custom: Option<Custom<'a>>,
    /// The name, in the flat and the bare shape.
    pub name: Option<String>,
    /// What it does, in the flat and the bare shape.
    pub description: Option<Text<'a>>,
    /// The schema of the arguments, in the flat shape.
    pub parameters: Option<Object<'a>>,
    /// The schema of the arguments, in the bare shape.
    pub input_schema: Option<Object<'a>>,
    /// What the free text looks like, in the flat shape.
    pub format: Option<Object<'a>>,
}

/// A function: a tool that takes a JSON object.
///
/// ```json
/// {"name": "get_weather", "description": "The weather of a city",
///  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatFunction"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Function<'a> {
    /// The name.
    pub name: String,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// The JSON schema of the arguments. Absent means that there are none.
    pub parameters: Option<Object<'a>>,
    /// Whether the arguments must meet the schema.
    pub strict: Option<bool>,
}

/// A tool that takes free text.
///
/// ```json
/// {"name": "apply_patch", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "…"}}}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatCustomTool"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Custom<'a> {
    /// The name.
    pub name: String,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// What the text looks like.
    pub format: Option<Object<'a>>,
}

/// Whether the model must use a tool: a word, or an object that names one.
///
/// ```json
/// {"type": "function", "function": {"name": "get_weather"}}
/// ```
///
/// Anthropic's objects are read as well: `{"type": "auto"}`, and `{"type": "tool", "name": "get_weather"}`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// `none`, `auto`, `required`; also Anthropic's `any`, which is `required`.
    Mode(String),
    /// One tool, nested or flat.
    Named(NamedTool),
    /// Some of the tools.
    Allowed(AllowedTools),
}

/// A tool by its name: `{"type": "function", "function": {"name": …}}`, or flat: `{"name": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedTool {
    /// The name.
    pub name: String,
}

/// Some of the tools. It comes wrapped: `{"type": "allowed_tools", "allowed_tools": …}`.
///
/// ```json
/// {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatAllowedTools"))]
#[non_exhaustive]
pub struct AllowedTools {
    /// `auto` or `required`.
    pub mode: Option<String>,
    /// The tools.
    pub tools: Vec<NamedTool>,
}

/// The older form of [`ToolChoice`]: `none`, `auto` or `{"name": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionChoice {
    /// `none` or `auto`.
    Mode(String),
    /// One function.
    Named(String),
}

/// A call of a tool.
///
/// ```json
/// {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatToolCall"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ToolCall<'a> {
    /// The id by which the result answers.
    pub id: String,
    /// `function` or `custom`. Some clients leave it out of the history; answers always hold it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The function and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionCall<'a>>,
    /// The custom tool and its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomCall<'a>>,
}

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatFunctionCall"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct FunctionCall<'a> {
    /// The name.
    pub name: String,
    /// The arguments. Absent in the history means that there are none; answers always hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arguments<'a>>,
}

/// A custom tool and its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatCustomCall"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct CustomCall<'a> {
    /// The name.
    pub name: String,
    /// The text.
    pub input: Text<'a>,
}

/// The arguments of a function call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatArguments"))]
#[serde(untagged)]
pub enum Arguments<'a> {
    /// A string that holds JSON, as the schema has it. A model wrote it, so it may be empty or broken.
    Text(Text<'a>),
    /// The object itself, as careless clients send it.
    Object(Object<'a>),
}

impl<'a> ToolCall<'a> {
    /// A call of a function, with the JSON text of its arguments.
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: Text<'a>) -> Self {
        Self {
            id: id.into(),
            kind: Some("function".to_owned()),
            function: Some(FunctionCall::new(name, arguments)),
            custom: None,
        }
    }

    /// A call of a custom tool, with its text.
    pub fn custom(id: impl Into<String>, name: impl Into<String>, input: Text<'a>) -> Self {
        Self {
            id: id.into(),
            kind: Some("custom".to_owned()),
            function: None,
            custom: Some(CustomCall {
                name: name.into(),
                input,
            }),
        }
    }
}

impl<'a> FunctionCall<'a> {
    /// A function and the JSON text of its arguments.
    pub fn new(name: impl Into<String>, arguments: Text<'a>) -> Self {
        Self {
            name: name.into(),
            arguments: Some(Arguments::Text(arguments)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Arguments<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let text = Text::from_raw(raw).map(Self::Text);
        let object = || Object::from_raw(raw).map(Self::Object);
        text.or_else(object)
            .ok_or_else(|| D::Error::invalid_type(unexpected(raw), &"a string or an object"))
    }
}

impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(rename = "type")]
            kind: Option<String>,
            allowed_tools: Option<AllowedTools>,
            #[serde(flatten)]
            named: NamedShape,
        }
        Ok(
            match string_or_object(deserializer, "a string or an object")? {
                Either::Text(mode) => Self::Mode(mode),
                Either::Other(Shape {
                    allowed_tools: Some(allowed),
                    ..
                }) => Self::Allowed(allowed),
                Either::Other(Shape { kind, named, .. }) => match kind.as_deref() {
                    Some(mode @ ("none" | "auto" | "any" | "required")) => {
                        Self::Mode(mode.to_owned())
                    }
                    _ => Self::Named(named.check()?),
                },
            },
        )
    }
}

impl<'de> Deserialize<'de> for NamedTool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NamedShape::deserialize(deserializer)?.check()
    }
}

impl<'de> Deserialize<'de> for FunctionChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match string_or_object::<_, Name>(deserializer, "a string or an object")? {
                Either::Text(mode) => Self::Mode(mode),
                Either::Other(function) => Self::Named(function.name),
            },
        )
    }
}

#[derive(Deserialize)]
struct NamedShape {
    function: Option<Name>,
    custom: Option<Name>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl NamedShape {
    fn check<E: Error>(self) -> Result<NamedTool, E> {
        let nested = self.function.or(self.custom).map(|tool| tool.name);
        let name = nested
            .or(self.name)
            .ok_or_else(|| E::missing_field("function"))?;
        Ok(NamedTool { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_choice_is_a_word_a_tool_or_some_tools() {
        let named = ToolChoice::Named(NamedTool { name: "a".into() });
        for (json, choice) in [
            (r#""auto""#, ToolChoice::Mode("auto".into())),
            (
                r#"{"type":"function","function":{"name":"a"}}"#,
                named.clone(),
            ),
            (r#"{"type":"custom","custom":{"name":"a"}}"#, named.clone()),
            (r#"{"type":"function","name":"a"}"#, named.clone()),
            (r#"{"type":"tool","name":"a"}"#, named),
            (r#"{"type":"any"}"#, ToolChoice::Mode("any".into())),
            (
                r#"{"type":"auto","disable_parallel_tool_use":true}"#,
                ToolChoice::Mode("auto".into()),
            ),
            (
                r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"name":"a"}]}}"#,
                ToolChoice::Allowed(AllowedTools {
                    mode: Some("auto".into()),
                    tools: vec![NamedTool { name: "a".into() }],
                }),
            ),
        ] {
            assert_eq!(
                serde_json::from_str::<ToolChoice>(json).unwrap(),
                choice,
                "{json}"
            );
        }
        let error = serde_json::from_str::<ToolChoice>("{}")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("missing field `function`"), "{error}");
    }

    #[test]
    fn arguments_are_a_string_or_an_object() {
        let call = |json| {
            serde_json::from_str::<FunctionCall<'_>>(json)
                .unwrap()
                .arguments
        };
        assert_eq!(
            call(r#"{"name":"f","arguments":"{}"}"#),
            Some(Arguments::Text(Text::new("{}")))
        );
        assert!(matches!(
            call(r#"{"name":"f","arguments":{"a":1}}"#),
            Some(Arguments::Object(object)) if object.as_json() == r#"{"a":1}"#
        ));
        assert_eq!(call(r#"{"name":"f","arguments":null}"#), None);
        assert_eq!(call(r#"{"name":"f"}"#), None);
        assert!(serde_json::from_str::<Arguments<'_>>("[]").is_err());
    }

    #[test]
    fn the_older_choice_is_a_word_or_a_function() {
        assert_eq!(
            serde_json::from_str::<FunctionChoice>(r#"{"name":"f"}"#).unwrap(),
            FunctionChoice::Named("f".into())
        );
        assert_eq!(
            serde_json::from_str::<FunctionChoice>(r#""none""#).unwrap(),
            FunctionChoice::Mode("none".into())
        );
    }
}
