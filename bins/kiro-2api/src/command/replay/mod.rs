//! `kiro-2api replay`: a captured exchange once more, against a simulated Kiro that answers as the service did.

mod ask;
mod compare;
mod retell;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiro_auth::Secret;
use kiro_gateway::ServerOptions;
use kiro_gateway::capture::{Bundle, Ended, FORMAT};
use kiro_sim::{Operation, Recorded, SimOptions, Simulator};
use tokio::net::TcpListener;

use super::{Failure, say};
use crate::config::{Config, FetchImages, Log, Multiplier, Reasoning, StoreKind};
use crate::setup::Surroundings;
use crate::{logging, setup};
use compare::{Told, differences};
use retell::Unfit;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is 0 if the same comes out as was captured, and 1 otherwise. Nothing is asked of \
    anybody but the simulator. docs/operations/capture.md says what is compared."
)]
pub(crate) struct Arguments {
    /// The capture
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave the pauses of the service out
    #[arg(long)]
    fast: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let bundle = read(&arguments.file)?;
    let log = Log {
        level: "error".into(),
        ..Log::default()
    };
    logging::init(&log, &Arc::default());
    let captured = Told::of_bundle(&bundle)?;
    let (told, asked) = again(&bundle, arguments.fast).await?;
    let (then, mut now) = (captured.lines(), told.lines());
    if captured.ended == Ended::Left {
        // The client left then, and might have been told more.
        now.truncate(then.len());
    }
    let mut differs = Vec::new();
    if let Some(differences) = differences(&then, &now) {
        differs.push(format!("The answer is another one.\n{differences}"));
    }
    differs.extend(compare::requests(&bundle, &asked));
    if differs.is_empty() {
        say!(
            "The same: status {}, {} bytes, {} asked of the service.",
            told.status,
            told.body.len(),
            match asked.len() {
                1 => "1 request".to_owned(),
                n => format!("{n} requests"),
            }
        );
        return Ok(());
    }
    say!("{}", differs.join("\n"));
    say!("Lines with - were captured, lines with + came out now.");
    Err("what comes out is not what was captured".into())
}

fn read(file: &Path) -> Result<Bundle, Failure> {
    let file_name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{file_name} cannot be read: {error}"))?;
    let format: Format = serde_json::from_str(&text)
        .map_err(|error| format!("{file_name} is no capture: {error}"))?;
    if format.kiro_capture != FORMAT {
        return Err(format!(
            "{file_name} is a capture of form {}, and this program reads form {FORMAT}",
            format.kiro_capture
        )
        .into());
    }
    let bundle = serde_json::from_str(&text);
    bundle.map_err(|error| format!("{file_name} is damaged: {error}").into())
}

/// The part of a capture that says how to read the rest.
#[derive(serde::Deserialize)]
struct Format {
    kiro_capture: u32,
}

/// Lets the exchange happen again; returns what came out and what the service was asked.
async fn again(bundle: &Bundle, fast: bool) -> Result<(Told, Vec<Recorded>), Failure> {
    let sim = Simulator::start(SimOptions::default()).await?;
    for (operation, playback) in retell::playbacks(bundle, fast)? {
        sim.play_back(operation, playback);
    }
    let key = format!("sk-replay-{}", uuid::Uuid::new_v4().simple());
    let config = config(bundle, &sim, &key, fast)?;
    let (gateway, _) = setup::gateway(&config, None, Surroundings::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = kiro_gateway::serve(
        listener,
        gateway,
        ServerOptions::default(),
        std::future::pending(),
    );
    let key = match bundle.caller.guest {
        false => key,
        // Social logins always come with a refresh token.
        true => format!(
            "{key}:{}",
            sim.issue_social().refresh_token.unwrap_or_default()
        ),
    };
    let told = tokio::select! {
        told = ask::ask(address, &key, bundle) => told?,
        served = serving => {
            served?;
            return Err("the gateway has stopped".into());
        }
    };
    let mut asked = sim.requests();
    asked.retain(|one| matches!(one.operation, Operation::Generate | Operation::InvokeMcp));
    let is_list = |one: &Recorded| one.json()["method"] == "tools/list";
    asked.retain(|one| !is_list(one));
    sim.shutdown().await;
    Ok((told, asked))
}

/// The configuration of a gateway whose whole world is the simulator, and which answers as the one that captured.
fn config(bundle: &Bundle, sim: &Simulator, key: &str, fast: bool) -> Result<Config, Failure> {
    let settings = &bundle.settings;
    let seconds = |name: &'static str, seconds: f64| {
        std::time::Duration::try_from_secs_f64(seconds).map_err(|_| Unfit::Setting(name))
    };
    let mut config = Config {
        proxy_api_key: Some(Secret::from(key)),
        refresh_token: sim.issue_social().refresh_token.map(Secret::new),
        ..Config::default()
    };
    config.store.kind = StoreKind::Memory;
    config.upstream.endpoint = Some(sim.base_url());
    config.upstream.auth_endpoint = Some(sim.base_url());
    config.upstream.max_retries = settings.max_retries;
    config.upstream.wire_profile = bundle.attempts.first().map(|first| first.profile.clone());
    config.images.fetch = FetchImages::Off;
    config.models.aliases = settings.models.aliases.clone();
    config.models.fallback = settings.models.fallback.clone();
    config.server.refuse_ignored = settings.refuse_ignored;
    config.server.pass_invalid_json = settings.pass_invalid_json;
    config.server.reasoning = match &*settings.reasoning {
        "tags" => Reasoning::Tags,
        "hidden" => Reasoning::Hidden,
        _ => Reasoning::Member,
    };
    let limits = &settings.timeouts;
    config.timeouts.first_event = seconds("first_event", limits.first_event)?;
    config.timeouts.gap = seconds("gap", limits.gap)?;
    config.timeouts.total = seconds("total", limits.total)?;
    config.timeouts.keep_alive = seconds("keep_alive", limits.keep_alive)?;
    config.timeouts.patience = seconds("patience", limits.patience)?;
    if fast && retell::lost_patience(bundle) {
        config.timeouts.patience = std::time::Duration::ZERO;
    }
    // The service is asked for the exchange, and for nothing else.
    config.quota.warn_below = 0.0;
    let multipliers = limits.multipliers.iter();
    config.timeouts.multipliers = multipliers
        .map(|(family, factor)| (family.clone(), Multiplier(*factor)))
        .collect();
    Ok(config)
}
