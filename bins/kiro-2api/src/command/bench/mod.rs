//! `kiro-2api bench`: a quick load test of a running gateway.

mod figures;
mod load;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{ConfigFile, Failure, exit_code};
use crate::config::Config;
use crate::present::{say, say_json};
use figures::Figures;
use load::Load;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The gateway, for example http://127.0.0.1:8000
    #[arg(value_name = "URL")]
    url: http::Uri,
    /// How many requests
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    requests: u64,
    /// How many at the same time
    #[arg(long, short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Begin no request after this many seconds
    #[arg(long, short, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    duration: Option<u32>,
    /// The model to ask
    #[arg(long, short, value_name = "MODEL", default_value = "auto")]
    model: String,
    /// What to ask
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Reply with the single word OK."
    )]
    prompt: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Every request is a streamed chat completion, with the key of PROXY_API_KEY (environment, .env or kiro-2api.toml). Against a
real service it costs credits: try it in front of `kiro-2api sim` first. The exit code is 1 when a request failed.

Examples:
  kiro-2api bench http://127.0.0.1:8000
  kiro-2api bench http://127.0.0.1:8000 -n 1000 -c 50 --duration 30 --json";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.url.scheme().is_none() || arguments.url.host().is_none() {
        return Err(format!(
            "`{}` is no address of a gateway; one looks like http://127.0.0.1:8000",
            arguments.url
        )
        .into());
    }
    let config = Config::read(&arguments.file.source())?;
    let key = config.proxy_api_key.ok_or(
        "PROXY_API_KEY is not set: it is the key that the gateway takes; set it in the environment or in .env",
    )?;
    let load = Arc::new(Load::new(
        &arguments.url,
        &key,
        &arguments.model,
        &arguments.prompt,
    )?);
    let most = arguments
        .duration
        .map(|seconds| Duration::from_secs(seconds.into()));
    let outcome = load
        .put(arguments.requests, arguments.concurrency.into(), most)
        .await?;
    let figures = Figures::of(&outcome)?;
    match arguments.json {
        true => say_json(&figures.document())?,
        false => say(&figures),
    }
    Ok(exit_code(outcome.errors.is_empty()))
}
