//! `kiro-2api models`: what the gateway would list.

use std::process::ExitCode;

use http::Method;
use serde_json::Value;

use super::{ConfigFile, Failure};
use crate::in_process::{InProcess, configuration, log_at};
use crate::present::{say, say_json, table};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The account to ask as [default: any]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print the list as JSON, as GET /v1/models does
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Any of the names can be sent as `model`. Where the service's own list cannot be had, a line says so, and the
names that always work are listed.

Examples:
  kiro-2api models
  kiro-2api models --json | jq -r '.data[].id'";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    // The gateway lists what it knows when the service does not, and warns.
    log_at(&source, "warn");
    let mut accounts = InProcess::open(&source, configuration(&source)?).await?;
    let members = accounts.chosen(arguments.account.as_deref())?;
    let mut refused = None;
    for member in &members {
        match member.source().token().await {
            Ok(_) => {
                refused = None;
                break;
            }
            Err(error) => refused = Some(error),
        }
    }
    if let Some(error) = refused {
        return Err(error.into());
    }
    let gateway = accounts.gateway(&members)?;
    let list = gateway.document(Method::GET, "/v1/models", None).await?;
    if arguments.json {
        say_json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let models = list["data"].as_array();
    let rows: Vec<[String; 5]> = models.into_iter().flatten().map(row).collect();
    say(table(["MODEL", "NAME", "CONTEXT", "OUTPUT", "CAN"], &rows));
    Ok(ExitCode::SUCCESS)
}

fn row(model: &Value) -> [String; 5] {
    let text = |name: &str| model[name].as_str().unwrap_or_default().to_owned();
    let count = |name: &str| model[name].as_u64().map_or(String::new(), thousands);
    let able = &model["capabilities"];
    let mut can = Vec::new();
    if able["tools"] == true {
        can.push("tools".to_owned());
    }
    if able["vision"] == true {
        can.push("images".to_owned());
    }
    let efforts = able["reasoning_efforts"].as_array();
    let efforts: Vec<&str> = efforts
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !efforts.is_empty() {
        can.push(format!("effort {}", efforts.join("|")));
    }
    [
        text("id"),
        text("display_name"),
        count("context_length"),
        count("max_output_tokens"),
        can.join(", "),
    ]
}

/// `200k`, `1M`, `272k`; other numbers as they are.
fn thousands(n: u64) -> String {
    match n {
        _ if n > 0 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        _ if n > 0 && n.is_multiple_of(1000) => format!("{}k", n / 1000),
        _ => n.to_string(),
    }
}
